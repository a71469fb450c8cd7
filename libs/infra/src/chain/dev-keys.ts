import { HDNodeWallet, Mnemonic } from 'ethers';

/** Known to everyone: for local chains only. anvil gives its accounts test ether. */
export const DEV_MNEMONIC = 'test test test test test test test test test test test junk';

export type DevKey = { readonly privateKey: string; /** Lower case. */ readonly address: string };

let root: HDNodeWallet | undefined;

/** The key of anvil's account number `index`. Same index, same key, always. */
export const devKey = (index: number): DevKey => {
  root ??= HDNodeWallet.fromMnemonic(Mnemonic.fromPhrase(DEV_MNEMONIC), "m/44'/60'/0'/0");
  const wallet = root.deriveChild(index);
  return { privateKey: wallet.privateKey, address: wallet.address.toLowerCase() };
};
