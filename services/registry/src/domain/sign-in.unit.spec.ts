import { type DomainError } from '@gridbourse/kernel';
import { describe, expect, it } from '@jest/globals';
import { checkSignIn, type SignInMessage, type SignInPolicy } from './sign-in.ts';

const NOW = 1_000_000_000;
const policy: SignInPolicy = {
  origin: { scheme: 'https', domain: 'gridbourse.example', uri: 'https://gridbourse.example' },
  chainId: 421_614,
};
const message = (fields: Partial<SignInMessage> = {}): SignInMessage => ({
  scheme: null,
  domain: 'gridbourse.example',
  uri: 'https://gridbourse.example',
  chainId: 421_614,
  issuedAtMs: NOW - 1_000,
  expirationTimeMs: null,
  notBeforeMs: null,
  ...fields,
});

const outcome = (fields: Partial<SignInMessage>): string => {
  try {
    checkSignIn(message(fields), policy, NOW);
    return 'accepted';
  } catch (error) {
    return (error as DomainError).code;
  }
};

describe('a sign-in message', () => {
  it.each<[string, Partial<SignInMessage>, string]>([
    ['made for us', {}, 'accepted'],
    ['with our scheme', { scheme: 'https' }, 'accepted'],
    ['for a page of ours', { uri: 'https://gridbourse.example/console' }, 'accepted'],
    ['for another domain', { domain: 'evil.example' }, 'wrong_domain'],
    ['for a domain that only begins alike', { domain: 'gridbourse.example.evil.example' }, 'wrong_domain'],
    ['with another scheme', { scheme: 'http' }, 'wrong_domain'],
    ['for another page', { uri: 'https://evil.example' }, 'wrong_uri'],
    ['for a page that only begins alike', { uri: 'https://gridbourse.example.evil.example' }, 'wrong_uri'],
    ['for another chain', { chainId: 1 }, 'wrong_chain'],
    ['of the future', { issuedAtMs: NOW + 60_000 }, 'message_not_yet_valid'],
    ['a little ahead of our clock', { issuedAtMs: NOW + 20_000 }, 'accepted'],
    ['not valid yet', { notBeforeMs: NOW + 60_000 }, 'message_not_yet_valid'],
    ['expired by its own word', { expirationTimeMs: NOW }, 'message_expired'],
    ['too old', { issuedAtMs: NOW - 600_000 }, 'message_expired'],
    ['of no time at all', { issuedAtMs: Number.NaN }, 'message_expired'],
  ])('%s', (_, fields, expected) => {
    expect(outcome(fields)).toBe(expected);
  });
});
