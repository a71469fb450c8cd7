import type { OrderId } from '@gridbourse/kernel';
import { Injectable } from '@nestjs/common';
import { Signals } from './signals.ts';

/** News of an order. */
@Injectable()
export class OrderSignals extends Signals<OrderId> {}
