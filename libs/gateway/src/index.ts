export * from './gateway-service.ts';
export * from './grpc-gateway.ts';
export * from './http-gateway.ts';
export * from './remote-service.ts';
