import type { DataDir } from '@gridbourse/infra';
import { generateSealingKey, type SealingKey } from '@gridbourse/sealing';

/** The orchestrator's key pair: made once, kept in the data folder, readable by its owner only. */
export const ensureSealingKey = async (dir: DataDir): Promise<SealingKey> => {
  const known = dir.read<SealingKey>('sealing-key.json');
  if (known) return known;
  const made = await generateSealingKey();
  dir.write('sealing-key.json', made);
  return made;
};
