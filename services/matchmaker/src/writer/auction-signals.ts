import { Injectable } from '@nestjs/common';
import { Signals } from './signals.ts';

/** News for those who bid: some auction has opened. */
@Injectable()
export class AuctionSignals extends Signals<'opened'> {}
