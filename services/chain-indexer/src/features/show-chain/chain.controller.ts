import { Public, Returns, SERVICE_CONFIG } from '@gridbourse/api';
import { Controller, Get, Inject } from '@nestjs/common';
import { z } from 'zod';
import type { ChainIndexerConfig } from '../../chain-indexer.config.ts';
import type { BlockRef } from '../../domain/block.ts';
import { ChainFollower } from '../follow-chain/chain-follower.service.ts';

const blockMark = z
  .object({ number: z.int(), hash: z.string() })
  .meta({ id: 'BlockMark', description: 'A block: its height and its hash.' });

const chainView = z
  .object({
    chainId: z.int(),
    deployBlock: z.int(),
    contracts: z.object({
      ComputeMarket: z.string(),
      ProviderRegistry: z.string(),
      TestUSDC: z.string(),
      LivenessRewards: z.string().optional(),
      UpgradeTimelock: z.string().optional(),
    }),
    watermarks: z.object({
      latest: blockMark.nullable().meta({ description: 'The newest block of the sequencer.' }),
      safe: blockMark.nullable(),
      finalized: blockMark.nullable(),
      indexed: blockMark
        .nullable()
        .meta({ description: 'The newest block whose events have been published.' }),
      final: blockMark
        .nullable()
        .meta({ description: 'The newest block whose events have been published as final.' }),
    }),
    halted: z
      .object({ reason: z.string(), since: z.iso.datetime() })
      .nullable()
      .meta({ description: 'Why the chain cannot be followed; null while it is.' }),
  })
  .meta({ id: 'Chain' });

const mark = (block: BlockRef | null | undefined): z.output<typeof blockMark> | null =>
  block ? { number: block.number, hash: block.hash } : null;

@Controller('v1/chain')
export class ChainController {
  constructor(
    private readonly follower: ChainFollower,
    @Inject(SERVICE_CONFIG) private readonly config: ChainIndexerConfig,
  ) {}

  /** Which chain the money is on, where its contracts are, and how far it has been followed. */
  @Public()
  @Get()
  @Returns(200, chainView)
  chain(): z.output<typeof chainView> {
    const { heads, position, halted } = this.follower.status();
    return {
      ...this.config.deployment,
      watermarks: {
        latest: mark(heads?.latest),
        safe: mark(heads?.safe),
        finalized: mark(heads?.finalized),
        indexed: mark(position?.indexed),
        final: mark(position?.final),
      },
      halted: halted && { reason: halted.reason, since: new Date(halted.sinceMs).toISOString() },
    };
  }
}
