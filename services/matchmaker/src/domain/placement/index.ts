export { BidPricePolicy, type BidPriceOptions } from './bid-price-policy.ts';
export { type Choice, Cluster, type NodeSpec, type Placement } from './cluster.ts';
export { Demand, type Wanted } from './demand.ts';
export { type Pieces, type PackingPrices, priceGpuPacking } from './gpu-packing.ts';
export { PlacementEngine, type PlacementPolicy } from './policy.ts';
export * from './request-shape.ts';
