import pc from 'picocolors';

/** The few lines a person reads while the platform comes up. */
export class Progress {
  private readonly begun = performance.now();

  say(line = ''): void {
    process.stdout.write(`${line}\n`);
  }

  done(what: string, detail = ''): void {
    const seconds = ((performance.now() - this.begun) / 1_000).toFixed(1).padStart(5);
    this.say(
      `  ${pc.green('✓')} ${pc.dim(`${seconds} s`)}  ${what}${detail === '' ? '' : pc.dim(`  ${detail}`)}`,
    );
  }

  failed(problem: string, advice: string): void {
    process.stderr.write(`\n  ${pc.red('✗')} ${problem}\n    ${advice}\n\n`);
  }
}

export type Addresses = {
  origin: string;
  grpc: string;
  chain: string;
  chainId: number;
  dataDir: string;
  market: string;
  tenant: { wallet: string; apiKey: string };
};

export const showAddresses = (progress: Progress, at: Addresses): void => {
  const row = (name: string, value: string): void => progress.say(`  ${pc.dim(name.padEnd(12))} ${value}`);
  progress.say();
  row('API', `${at.origin}/v1`);
  row('API docs', `${at.origin}/docs`);
  row('Health', `${at.origin}/health/ready`);
  row('gRPC', at.grpc);
  row('Chain', `${at.chain}  (chain id ${at.chainId})`);
  row('Market', at.market);
  row('Demo tenant', `wallet ${at.tenant.wallet}`);
  row('', `API key ${at.tenant.apiKey}`);
  row('Data', at.dataDir);
  progress.say();
  progress.say(`  Next: ${pc.bold('npm run demo')}   in another window (Ctrl-C here stops everything)`);
  progress.say();
};
