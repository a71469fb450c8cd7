export { sameSchema } from './alternatives.ts';
export * from './incompatibilities.ts';
export * from './release-record.ts';
