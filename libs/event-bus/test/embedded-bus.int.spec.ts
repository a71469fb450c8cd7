import { testDatabase } from '@gridbourse/testing';
import { backpressureContract } from './contract/backpressure.ts';
import { deliveryContract } from './contract/delivery.ts';
import { failureContract } from './contract/failure.ts';
import { membersContract } from './contract/members.ts';
import { strategyContract } from './contract/strategy.ts';
import { withBus } from './contract/suite.ts';
import { upgradeContract } from './contract/upgrade.ts';
import { embeddedUnderTest } from './support/embedded-under-test.ts';

withBus(
  'the embedded bus, on a real Postgres',
  async () => {
    const database = await testDatabase('bus');
    return embeddedUnderTest(database.url, () => database.drop());
  },
  ...[
    deliveryContract,
    failureContract,
    membersContract,
    backpressureContract,
    strategyContract,
    upgradeContract,
  ],
);
