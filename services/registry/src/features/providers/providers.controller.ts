import {
  Caller,
  CLOCK,
  page,
  pageQuery,
  type PageQuery,
  Public,
  RequireScopes,
  Returns,
  SERVICE_CONFIG,
} from '@gridbourse/api';
import type { Clock, ProviderId } from '@gridbourse/kernel';
import { Body, Controller, Get, HttpCode, Inject, Param, Post, Put, Query, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import type { z } from 'zod';
import { Aggregates } from '../../aggregates/aggregates.ts';
import { providers } from '../../aggregates/registry-aggregates.ts';
import type { RegistryConfig } from '../../registry.config.ts';
import { AgentHub } from '../agents/agent-hub.ts';
import { idOf } from '../id-param.ts';
import { Clusters } from './cluster.service.ts';
import { ProviderDirectory } from './provider-directory.ts';
import { ProviderRegistration } from './provider-registration.service.ts';
import { clusterBody, providerBody, providerDto, suspendBody, tierDto } from './provider.dto.ts';

const providerPage = page(providerDto).meta({ id: 'ProviderPage' });
const providerId = idOf('provider');
type ProviderDto = z.input<typeof providerDto>;

@ApiTags('providers')
@Controller('v1/providers')
export class ProvidersController {
  constructor(
    private readonly registration: ProviderRegistration,
    private readonly directory: ProviderDirectory,
    private readonly clusters: Clusters,
    private readonly aggregates: Aggregates,
    private readonly agents: AgentHub,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(SERVICE_CONFIG) private readonly config: Pick<RegistryConfig, 'tiers'>,
  ) {}

  /** Registers the caller's wallet as a provider; 200 with what is known when it is one already. */
  @Post()
  @RequireScopes('providers:write')
  @Returns(201, providerDto)
  async register(
    @Caller() caller: Caller,
    @Body({ schema: providerBody }) body: z.output<typeof providerBody>,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ProviderDto> {
    const { providerId: id, isNew } = await this.registration.register(caller, body);
    if (!isNew) void reply.status(200);
    return this.directory.byId(id);
  }

  @Get()
  @Public()
  @Returns(200, providerPage)
  list(@Query({ schema: pageQuery }) query: PageQuery): Promise<z.input<typeof providerPage>> {
    return this.directory.list(query);
  }

  /** The limits of the tiers, best first. Tier 7 is for whoever deserves none of them. */
  @Get('tiers')
  @Public()
  @Returns(200, tierDto, { isArray: true })
  tiers(): z.input<typeof tierDto>[] {
    return [...this.config.tiers];
  }

  @Get(':id')
  @Public()
  @Returns(200, providerDto)
  show(@Param('id', { schema: providerId }) id: string): Promise<ProviderDto> {
    return this.directory.byId(id);
  }

  /** Where the provider's cluster answers, and how to get in. */
  @Put(':id/cluster')
  @RequireScopes('providers:write')
  @HttpCode(204)
  async attachCluster(
    @Caller() caller: Caller,
    @Param('id', { schema: providerId }) id: string,
    @Body({ schema: clusterBody }) body: z.output<typeof clusterBody>,
  ): Promise<void> {
    const provider = await this.directory.ownedBy(caller.accountId, id);
    await this.clusters.attach(provider.providerId as ProviderId, body.kubeconfig);
  }

  /** Its offers are not matched until it is reinstated; its leases go on. */
  @Post(':id/suspend')
  @RequireScopes('operator')
  @Returns(200, providerDto)
  async suspend(
    @Param('id', { schema: providerId }) id: string,
    @Body({ schema: suspendBody }) body: z.output<typeof suspendBody>,
  ): Promise<ProviderDto> {
    const atMs = this.clock.now();
    await this.aggregates.execute(providers, id, [{ type: 'Suspend', reason: body.reason, atMs }]);
    return this.directory.byId(id);
  }

  /**
   * An operator knows that an unreachable provider will not come back: its leases are lost now. The way out where so many
   * are dark that nobody goes offline by itself.
   */
  @Post(':id/give-up')
  @RequireScopes('operator')
  @Returns(200, providerDto)
  async giveUp(@Param('id', { schema: providerId }) id: string): Promise<ProviderDto> {
    await this.agents.giveUp(id);
    return this.directory.byId(id);
  }

  @Post(':id/reinstate')
  @RequireScopes('operator')
  @Returns(200, providerDto)
  async reinstate(@Param('id', { schema: providerId }) id: string): Promise<ProviderDto> {
    await this.aggregates.execute(providers, id, [{ type: 'Reinstate', atMs: this.clock.now() }]);
    return this.directory.byId(id);
  }
}
