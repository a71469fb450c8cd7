import { GridbourseClient } from '@gridbourse/sdk';
import type { Command } from 'commander';
import { Wallet } from 'ethers';
import { demandPrivateKey } from '../chain/escrow-actions.ts';
import { globalOptions, print } from '../context.ts';
import { DEFAULT_ORIGIN, demoTenant, saveCredentials } from '../credentials.ts';

export const addLogin = (program: Command): void => {
  program
    .command('login')
    .description('sign in with a wallet (Sign-In with Ethereum) or an API key, and remember it')
    .option(
      '--wallet',
      'sign with the private key in GRIDBOURSE_PRIVATE_KEY (the local demo wallet if unset)',
    )
    .action(async (options: { wallet?: boolean }, command: Command) => {
      const { json, ...global } = globalOptions(command);
      const origin =
        global.origin ?? process.env['GRIDBOURSE_ORIGIN'] ?? demoTenant()?.origin ?? DEFAULT_ORIGIN;
      const apiKey = global.apiKey ?? process.env['GRIDBOURSE_API_KEY'];
      if (apiKey !== undefined && !options.wallet) {
        const account = await new GridbourseClient({ origin, auth: { apiKey } }).account();
        const file = saveCredentials({ origin, apiKey });
        print(
          json
            ? JSON.stringify({ accountId: account.accountId, file })
            : `Signed in as ${account.accountId}; kept in ${file}`,
        );
        return;
      }
      const privateKey = demandPrivateKey(demoTenant()?.privateKey);
      const wallet = new Wallet(privateKey);
      const client = new GridbourseClient({ origin, auth: { none: true } });
      const tokens = await client.signIn({
        address: wallet.address,
        signMessage: (message) => wallet.signMessage(message),
      });
      const file = saveCredentials({ origin, tokens });
      print(
        json
          ? JSON.stringify({ accountId: tokens.accountId, file })
          : `Signed in as ${tokens.accountId} with ${wallet.address}; kept in ${file}`,
      );
    });
};
