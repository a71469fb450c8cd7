export * from './decider.ts';
export * from './errors.ts';
export * from './geo.ts';
export * from './ids.ts';
export * from './json.ts';
export * from './money.ts';
export * from './random.ts';
export * from './time.ts';
