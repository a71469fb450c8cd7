export { bigintArray, booleanArray, intArray, textArray } from './binary-arrays.ts';
export * from './connection-error.ts';
export * from './copy-in.ts';
export * from './copy-rows.ts';
