import { DomainError, type Fault } from '@gridbourse/kernel';
import type { ManifestWarning } from './parsed-manifest.ts';
import type { Place, YamlNode } from './yaml-tree.ts';

/** Enough to mend a file by; the rest would be noise. */
const MAX_FAULTS = 50;
const MAX_WARNINGS = 200;

/** Gathers everything that is wrong with a manifest, so that its author hears of it all at once. */
export class Report {
  private readonly found: Fault[] = [];
  readonly warnings: ManifestWarning[] = [];
  private unlisted = 0;

  /** @param place where; a node, or a place of its own with the pointer of what is meant */
  fault(place: YamlNode | (Place & { readonly pointer: string }), message: string): void {
    if (this.found.length >= MAX_FAULTS) {
      this.unlisted += 1;
      return;
    }
    this.found.push({ pointer: place.pointer, message, line: place.line, column: place.column });
  }

  warn(place: YamlNode | (Place & { readonly pointer: string }), code: string, message: string): void {
    if (this.warnings.length >= MAX_WARNINGS) return;
    this.warnings.push({
      code,
      pointer: place.pointer,
      message,
      line: place.line,
      column: place.column,
    });
  }

  get clean(): boolean {
    return this.found.length === 0;
  }

  /** @throws DomainError `invalid_manifest` when a fault was reported */
  assertClean(): void {
    const first = this.found[0];
    if (first === undefined) return;
    const faults = [...this.found].sort((a, b) => a.line! - b.line! || a.column! - b.column!);
    const others = this.found.length + this.unlisted - 1;
    const where = `line ${faults[0]!.line}, column ${faults[0]!.column}`;
    const more = others === 0 ? '' : `, and ${others} more`;
    throw new DomainError('invalid', 'invalid_manifest', `${where}: ${faults[0]!.message}${more}`, {
      faults,
    });
  }
}
