import { testDatabase } from '@gridbourse/testing';
import { crashContract } from './crash-contract.ts';

crashContract('the embedded bus', async () => {
  const database = await testDatabase('bus');
  return { bus: { kind: 'embedded', databaseUrl: database.url }, close: () => database.drop() };
});
