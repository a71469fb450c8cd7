import { pageQuery } from '@gridbourse/api';
import { ID_PREFIXES, idPattern } from '@gridbourse/kernel';
import { z } from 'zod';
import { bidDto } from './auction.dto.ts';

const idOf = (kind: 'order' | 'offer') =>
  z.string().regex(idPattern(kind), `expected an id like ${ID_PREFIXES[kind]}_…`);

/** What a bid is placed with, over REST and gRPC alike. */
export const bidRequest = z
  .strictObject({
    orderId: idOf('order'),
    offerId: idOf('offer'),
    /** May be left out where the order has one group. */
    group: z.string().min(1).max(200).optional(),
    /** Decimal USDC per hour, for everything of the group. */
    rateUsdcPerHour: z
      .string()
      .regex(/^\d{1,9}(\.\d{1,6})?$/, 'expected decimal USDC per hour with at most six decimals, like 1.25'),
  })
  .meta({ id: 'BidRequest' });
export type BidRequestBody = z.output<typeof bidRequest>;

export const bidsQuery = pageQuery.extend({
  state: bidDto.shape.state.optional(),
  orderId: z.string().max(60).optional(),
});
