/** How many blocks to ask for at once: halved when the node cannot, grown slowly while it can. */
export class RangeSize {
  private readonly largest: number;
  private size: number;

  constructor(largest: number) {
    this.largest = largest;
    this.size = largest;
  }

  get blocks(): number {
    return Math.max(1, Math.floor(this.size));
  }

  succeeded(): void {
    this.size = Math.min(this.largest, this.size * 1.1 + 1);
  }

  failed(): void {
    this.size = Math.max(1, this.size / 2);
  }
}
