import { type Caller, CLOCK, deterministicId, SERVICE_CONFIG } from '@gridbourse/api';
import { findCountry, findRegion, regionOf } from '@gridbourse/catalog';
import type { Place } from '@gridbourse/events';
import { type AccountId, type Clock, type Fault, invalid, type ProviderId } from '@gridbourse/kernel';
import { Inject, Injectable } from '@nestjs/common';
import type { z } from 'zod';
import { Aggregates } from '../../aggregates/aggregates.ts';
import { providers } from '../../aggregates/registry-aggregates.ts';
import type { ProviderCommand } from '../../domain/provider.ts';
import type { RegistryConfig } from '../../registry.config.ts';
import { lockStakeOf, stakeOf } from '../stake/stake-table.ts';
import type { providerBody } from './provider.dto.ts';

type Body = z.output<typeof providerBody>;

/** Country and region by the catalogue; a region that is given must be one of the market's. */
const placeOf = ({ country: named, city, region: asked, location }: Body['place']): Place => {
  const faults: Fault[] = [];
  const country = named === '' ? '' : findCountry(named);
  if (country === null)
    faults.push({ pointer: '/place/country', message: 'expected an ISO 3166-1 code or a country name' });
  const region =
    asked === undefined ? regionOf({ country: country ?? '', city, location }) : findRegion(asked)?.id;
  if (!region) faults.push({ pointer: '/place/region', message: 'expected a region of the market' });
  if (faults.length > 0 || country === null || !region) {
    throw invalid('invalid_place', 'the place is not one that the market knows', faults);
  }
  return { region, country, city, location };
};

/** A wallet becomes a provider. The first registration counts; later ones change nothing. */
@Injectable()
export class ProviderRegistration {
  constructor(
    private readonly aggregates: Aggregates,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(SERVICE_CONFIG) private readonly config: Pick<RegistryConfig, 'minStakeMicros'>,
  ) {}

  /** @throws DomainError `invalid_place` */
  async register(caller: Caller, body: Body): Promise<{ providerId: ProviderId; isNew: boolean }> {
    const place = placeOf(body.place);
    const { wallet } = caller;
    const providerId = deterministicId('provider', wallet);
    const atMs = this.clock.now();
    const register: ProviderCommand = {
      type: 'Register',
      providerId,
      accountId: caller.accountId as AccountId,
      wallet,
      name: body.name,
      place,
      attributes: body.attributes,
      atMs,
    };
    const { events } = await this.aggregates.execute(
      providers,
      providerId,
      async (manager): Promise<ProviderCommand[]> => {
        await lockStakeOf(manager, wallet);
        const stake = await stakeOf(manager, wallet);
        if (!stake) return [register];
        const { minStakeMicros } = this.config;
        return [register, { type: 'SeeStake', ...stake, minStakeMicros, retracted: false, atMs }];
      },
    );
    return { providerId, isNew: events.some((event) => event.type === 'ProviderRegistered') };
  }
}
