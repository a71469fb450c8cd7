import { tiers } from '../../jest.preset.mjs';

export default { projects: tiers(import.meta.dirname) };
