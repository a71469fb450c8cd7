import type { Choice, Cluster, Placement } from './cluster.ts';
import type { ShapeId, ShapeTable } from './request-shape.ts';

/** Says where a request goes. It places whenever some machine has room: what to refuse is nobody's to decide here. */
export type PlacementPolicy = {
  /** Told of every request that arrives, placed or not, before it is asked to choose. */
  readonly arrived: (shape: ShapeId) => void;
  /** @returns null when no machine has room now */
  readonly choose: (shape: ShapeId) => Choice | null;
};

/** A cluster and a policy over it. */
export class PlacementEngine {
  constructor(
    readonly cluster: Cluster,
    readonly shapes: ShapeTable,
    private readonly policy: PlacementPolicy,
  ) {}

  /** @returns null when no machine has room; nothing has changed then but what the policy learnt */
  place(shape: ShapeId): Placement | null {
    this.policy.arrived(shape);
    const choice = this.policy.choose(shape);
    return choice && this.cluster.place(choice, this.shapes.at(shape));
  }

  /** @throws DomainError `not_placed` */
  remove(placement: Placement): void {
    this.cluster.remove(placement);
  }
}
