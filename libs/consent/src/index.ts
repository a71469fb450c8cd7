export * from './domain.ts';
export * from './order.ts';
export * from './spending-limit.ts';
export type * from './typed-data.ts';
