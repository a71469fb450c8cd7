import type { RateDecision } from '@gridbourse/key-value';

const seconds = (milliseconds: number): number => Math.ceil(milliseconds / 1_000);

/**
 * `RateLimit-Policy` and `RateLimit` as structured fields (draft-ietf-httpapi-ratelimit-headers): quota and window of the
 * policy; what remains, and when the budget is full again. Where nobody counted, only the policy is told.
 */
export const rateLimitHeaders = (decision: RateDecision): Record<string, string> => {
  const { name, quota, windowMs } = decision.policy;
  const policy = { 'ratelimit-policy': `"${name}";q=${quota};w=${seconds(windowMs)}` };
  if (!decision.enforced) return policy;
  return { ...policy, ratelimit: `"${name}";r=${decision.remaining};t=${seconds(decision.resetMs)}` };
};
