import 'reflect-metadata';
import { GrpcGateway, HttpGateway } from '@gridbourse/gateway';
import { localMarketProgram } from '@gridbourse/local-market';
import {
  beginMarket,
  linksOf,
  openForBusiness,
  runProgram,
  SERVICE_NAMES,
  startGround,
} from '@gridbourse/local-platform';
import { BUS_DATABASE, startPlatform } from './platform.ts';

await runProgram({
  name: 'standalone',
  dataFolder: '.gridbourse',
  start: async (run) => {
    const { settings, logger, progress } = run;
    const ground = await startGround(run, [BUS_DATABASE]);
    const market = beginMarket(run, ground, localMarketProgram);
    const platform = await startPlatform(run, ground);
    run.onStop('services', () => platform.close());
    const grpc = new GrpcGateway(platform.services, logger);
    await grpc.listen(settings.grpcPort);
    run.onStop('gRPC', () => grpc.close());
    const http = new HttpGateway(platform.services, linksOf(settings, ground.chain.url));
    await http.listen(settings.port);
    run.onStop('HTTP', () => http.close());
    progress.done('services', SERVICE_NAMES.join(', '));
    await openForBusiness(run, ground, market);
  },
});
