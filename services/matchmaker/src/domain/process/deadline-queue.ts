import type { Instant } from '@gridbourse/kernel';

type Entry<Id> = { readonly id: Id; readonly at: Instant };

/** When things are due, the earliest first. Asking whether anything is costs the same however many wait. */
export class DeadlineQueue<Id extends string> {
  /** What counts. An entry of the heap that says otherwise is of an earlier time, and is passed over. */
  private readonly deadlines = new Map<Id, Instant>();
  private heap: Entry<Id>[] = [];

  /** @param at null: it has none, or none any more */
  set(id: Id, at: Instant | null): void {
    if (at === null) {
      this.deadlines.delete(id);
    } else if (this.deadlines.get(id) !== at) {
      this.deadlines.set(id, at);
      this.push({ id, at });
    }
    if (this.heap.length > 2 * this.deadlines.size + 64) this.rebuild();
  }

  /** Whether something was due before this. */
  anyBefore(instant: Instant): boolean {
    const first = this.first();
    return first !== undefined && first.at < instant;
  }

  /** What was due before this, earliest first and of one time by id; at most so many. It stays until it is set anew. */
  before(instant: Instant, atMost: number): Id[] {
    const taken: Entry<Id>[] = [];
    for (let first = this.first(); first && first.at < instant && taken.length < atMost; first = this.first())
      taken.push(this.pop());
    // Twice in the heap is what went from one time to another and back.
    const ids = [...new Set(taken.map(({ id }) => id))];
    for (const id of ids) this.push({ id, at: this.deadlines.get(id)! });
    return ids;
  }

  private first(): Entry<Id> | undefined {
    for (let top = this.heap[0]; top; top = this.heap[0]) {
      if (this.deadlines.get(top.id) === top.at) return top;
      this.pop();
    }
    return undefined;
  }

  private rebuild(): void {
    this.heap = [];
    for (const [id, at] of this.deadlines) this.push({ id, at });
  }

  private push(entry: Entry<Id>): void {
    const { heap } = this;
    let at = heap.push(entry) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!precedes(entry, heap[parent]!)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = entry;
  }

  private pop(): Entry<Id> {
    const { heap } = this;
    const first = heap[0]!;
    const moved = heap.pop()!;
    const size = heap.length;
    if (size === 0) return first;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= size) break;
      if (child + 1 < size && precedes(heap[child + 1]!, heap[child]!)) child += 1;
      if (!precedes(heap[child]!, moved)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = moved;
    return first;
  }
}

const precedes = <Id extends string>(a: Entry<Id>, b: Entry<Id>): boolean =>
  a.at < b.at || (a.at === b.at && a.id < b.id);
