import { renderMetrics } from '@gridbourse/observability';
import { Controller, Get, Header, Inject, Res } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { Public } from '../auth/public.decorator.ts';
import { CountsAs } from '../limits/rate-class.decorator.ts';
import { Readiness } from './readiness.ts';
import { SERVICE_NAME } from './tokens.ts';

@Public()
@CountsAs('unlimited')
@ApiExcludeController()
@Controller()
export class HealthController {
  constructor(
    private readonly readiness: Readiness,
    @Inject(SERVICE_NAME) private readonly service: string,
  ) {}

  /** The process answers. */
  @Get('health/live')
  live(): { status: 'live'; service: string } {
    return { status: 'live', service: this.service };
  }

  /** It can do its work. */
  @Get('health/ready')
  async ready(@Res({ passthrough: true }) reply: FastifyReply) {
    const report = await this.readiness.report();
    void reply.status(report.ready ? 200 : 503);
    return { status: report.ready ? 'ready' : 'not_ready', service: this.service, checks: report.checks };
  }

  @Get('metrics')
  @Header('content-type', 'text/plain; version=0.0.4; charset=utf-8')
  metrics(): Promise<string> {
    return renderMetrics(this.service);
  }
}
