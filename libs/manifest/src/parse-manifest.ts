import { DomainError } from '@gridbourse/kernel';
import type { ManifestOptions, ParsedManifest } from './parsed-manifest.ts';

/** Reads an Akash SDL or Spheron ICL manifest. @throws DomainError `invalid_manifest` with faults. */
export const parseManifest = (_text: string, _options: ManifestOptions = {}): ParsedManifest => {
  throw new DomainError('internal', 'not_ready', 'being written');
};
