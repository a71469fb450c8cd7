export * from './rate-class.decorator.ts';
export * from './rate-limited.ts';
export * from './rate-limits.config.ts';
