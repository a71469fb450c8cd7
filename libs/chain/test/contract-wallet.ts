import { ContractFactory, type Signer } from 'ethers';
import { createRequire } from 'node:module';

/** A wallet that is a contract (ERC-1271): its owner signs for it, and makes it call others. */
const SOURCE = `
// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;
contract Wallet {
    address private immutable owner = msg.sender;
    function isValidSignature(bytes32 hash, bytes calldata signature) external view returns (bytes4) {
        bytes32 r = bytes32(signature[0:32]);
        bytes32 s = bytes32(signature[32:64]);
        bool valid = signature.length == 65 && ecrecover(hash, uint8(signature[64]), r, s) == owner;
        return valid ? bytes4(0x1626ba7e) : bytes4(0xffffffff);
    }
    function execute(address to, bytes calldata data) external {
        require(msg.sender == owner);
        (bool success,) = to.call(data);
        require(success);
    }
}`;

type Compiler = { compile(input: string): string };
type Output = {
  contracts: Record<string, Record<string, { abi: []; evm: { bytecode: { object: string } } }>>;
};

/** Compiles the wallet and deploys it for `owner`. */
export const deployContractWallet = async (owner: Signer) => {
  const solc = createRequire(import.meta.url)('solc') as Compiler;
  const input = {
    language: 'Solidity',
    sources: { 'Wallet.sol': { content: SOURCE } },
    settings: { evmVersion: 'cancun', outputSelection: { '*': { '*': ['abi', 'evm.bytecode.object'] } } },
  };
  const output = JSON.parse(solc.compile(JSON.stringify(input))) as Output;
  const { abi, evm } = output.contracts['Wallet.sol']!['Wallet']!;
  const wallet = await new ContractFactory(abi, evm.bytecode.object, owner).deploy();
  await wallet.waitForDeployment();
  return {
    address: (await wallet.getAddress()).toLowerCase(),
    execute: async (to: string, data: string) =>
      (await (wallet.getFunction('execute')(to, data) as Promise<{ wait(): Promise<unknown> }>)).wait(),
  };
};
