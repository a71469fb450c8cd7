import { expect } from '@jest/globals';
import type { ServiceSpec } from '@gridbourse/events';
import { DomainError, type Fault } from '@gridbourse/kernel';
import { type ManifestOptions, parseManifest } from '../src/index.ts';

/** The only service of a small manifest. */
export const only = (text: string, options?: ManifestOptions): ServiceSpec =>
  parseManifest(text, options).spec.groups[0]!.services[0]!;

/** What is wrong with a manifest that must be refused. */
export const faultsOf = (text: string, options?: ManifestOptions): readonly Fault[] => {
  try {
    parseManifest(text, options);
  } catch (error) {
    expect(error).toBeInstanceOf(DomainError);
    expect((error as DomainError).kind).toBe('invalid');
    return (error as DomainError).faults;
  }
  throw new Error('it should have been refused');
};
