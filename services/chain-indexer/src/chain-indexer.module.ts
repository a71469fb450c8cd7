import { Module } from '@nestjs/common';
import { IndexStore } from './adapters/index-store.ts';
import { ChainFollower } from './features/follow-chain/chain-follower.service.ts';
import { ChainController } from './features/show-chain/chain.controller.ts';

/** Where the parts of the chain indexer are put together. */
@Module({ controllers: [ChainController], providers: [IndexStore, ChainFollower] })
export class ChainIndexerModule {}
