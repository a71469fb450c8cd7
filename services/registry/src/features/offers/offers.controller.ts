import { Caller, page, pageQuery, Public, RequireScopes, Returns } from '@gridbourse/api';
import { INTERCONNECTS } from '@gridbourse/events';
import type { OfferId, ProviderId } from '@gridbourse/kernel';
import { Body, Controller, Delete, Get, HttpCode, Param, Post, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import { idOf } from '../id-param.ts';
import { ProviderDirectory } from '../providers/provider-directory.ts';
import { offerBody, offerDto } from './offer.dto.ts';
import { Offers } from './offers.service.ts';

const offerPage = page(offerDto).meta({ id: 'OfferPage' });
const offerQuery = pageQuery.extend({
  model: z
    .string()
    .min(1)
    .max(120)
    .optional()
    .meta({ description: 'A GPU model, by any name the catalogue knows' }),
  region: z.string().min(1).max(40).optional(),
  sharing: z
    .enum(['whole', 'mig', 'shared'])
    .optional()
    .meta({ description: 'What is sold of the GPUs; without it every way' }),
  interconnect: z
    .enum(INTERCONNECTS)
    .optional()
    .meta({ description: 'The slowest network between machines that will do' }),
});

@ApiTags('offers')
@Controller('v1')
export class OffersController {
  constructor(
    private readonly offers: Offers,
    private readonly directory: ProviderDirectory,
  ) {}

  /** Publishes an offer or replaces it; the same content again changes nothing. */
  @Post('providers/:id/offers')
  @RequireScopes('providers:write')
  @Returns(200, offerDto)
  async publish(
    @Caller() caller: Caller,
    @Param('id', { schema: idOf('provider') }) id: string,
    @Body({ schema: offerBody }) body: z.output<typeof offerBody>,
  ): Promise<z.input<typeof offerDto>> {
    const provider = await this.directory.ownedBy(caller.accountId, id);
    return this.offers.publish(provider.providerId as ProviderId, body);
  }

  /** No longer sold; leases that run on it go on. */
  @Delete('providers/:id/offers/:offerId')
  @RequireScopes('providers:write')
  @HttpCode(204)
  async withdraw(
    @Caller() caller: Caller,
    @Param('id', { schema: idOf('provider') }) id: string,
    @Param('offerId', { schema: idOf('offer') }) offerId: string,
  ): Promise<void> {
    const provider = await this.directory.ownedBy(caller.accountId, id);
    await this.offers.withdraw(provider.providerId as ProviderId, offerId as OfferId);
  }

  @Get('offers')
  @Public()
  @Returns(200, offerPage)
  list(
    @Query({ schema: offerQuery }) query: z.output<typeof offerQuery>,
  ): Promise<z.input<typeof offerPage>> {
    return this.offers.list(query);
  }
}
