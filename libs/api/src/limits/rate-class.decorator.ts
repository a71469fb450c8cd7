import { type CustomDecorator, SetMetadata } from '@nestjs/common';
import type { RateLimits } from './rate-limits.config.ts';

export type RateClass = keyof RateLimits | 'unlimited';

export const RATE_CLASS = 'gridbourse:rate-class';

/** Which budget a route or controller spends of, where the method of the request does not say it. */
export const CountsAs = (rateClass: RateClass): CustomDecorator => SetMetadata(RATE_CLASS, rateClass);
