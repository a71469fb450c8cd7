export * from './invariants.ts';
export * from './manifest.ts';
export * from './platform-process.ts';
