import { describe, expect, it } from '@jest/globals';
import { workloadSecrets, workloadSpec } from '@gridbourse/events';
import { DomainError } from '@gridbourse/kernel';
import { z } from 'zod';
import { fixtures, sharedManifests } from '../test/manifests.ts';
import { parseManifest } from './index.ts';

/** Files among the real ones that are broken by the rules of their own dialect, each with where and why. */
const BROKEN: Readonly<Record<string, readonly [pointer: string, message: string]>> = {
  'axolotlai__llama-3.2-1b-lora-4bit.yaml': ['', 'not an Akash SDL or Spheron ICL manifest'],
  'matomo__deploy.yaml': ['/services/db/expose/0/to/0/servcie', 'did you mean `service`'],
  'minio__deploy.yml': [
    '/profiles/compute/minio/resources/storage/0',
    'persistent volume needs a name and a place',
  ],
  'pokt-network__deploy.yml': ['', '`profiles` is missing'],
  'stableswarmui__docker-compose.yml': ['', 'not an Akash SDL or Spheron ICL manifest'],
  'steamcmd__deploy.yaml': ['/services/steamcmd/expose/0', '`port` is missing'],
  'teamspeak__deploy.yaml': ['', 'not valid YAML'],
};

const files = new Map([...sharedManifests(), ...fixtures()].map((file) => [file.name, file.text]));

describe('real manifests', () => {
  for (const [name, text] of files) {
    const broken = BROKEN[name];
    if (broken === undefined) {
      it(`${name} is read`, () => {
        const { spec, secrets, warnings } = parseManifest(text);
        // It survives the way through an event.
        const stored = JSON.parse(JSON.stringify(z.encode(workloadSpec, spec))) as z.input<
          typeof workloadSpec
        >;
        expect(z.decode(workloadSpec, stored)).toEqual(spec);
        if (secrets !== null) expect(workloadSecrets.parse(secrets)).toEqual(secrets);
        expect(warnings.filter(({ line, column }) => !(line > 0 && column > 0))).toEqual([]);
      });
    } else {
      it(`${name} is refused`, () => {
        let caught: unknown;
        try {
          parseManifest(text);
        } catch (error) {
          caught = error;
        }
        expect(caught).toBeInstanceOf(DomainError);
        const [pointer, message] = broken;
        const { code, faults } = caught as DomainError;
        expect(code).toBe('invalid_manifest');
        expect(faults).toContainEqual(
          expect.objectContaining({
            pointer,
            message: expect.stringContaining(message) as unknown as string,
          }),
        );
      });
    }
  }

  it('lose none of their services, ports, volumes, variables and GPUs', () => {
    for (const [name, text] of files) {
      if (name in BROKEN) continue;
      const { spec } = parseManifest(text);
      const services = spec.groups.flatMap((group) => group.services);
      const gpuUnits = [...text.matchAll(/^\s+gpu:\s*\n\s+units: (\d+)/gm)].reduce(
        (sum, match) => sum + Number(match[1]),
        0,
      );
      const ours = services.reduce((sum, { resources }) => sum + (resources.gpu?.count ?? 0), 0);
      expect([name, ours]).toEqual([name, gpuUnits]);
    }
  });
});
