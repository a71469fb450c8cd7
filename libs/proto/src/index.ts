export * as matchmakerV1 from './gen/gridbourse/matchmaker/v1/orders.ts';
export * as registryV1 from './gen/gridbourse/registry/v1/agent.ts';
export * from './loader.ts';
