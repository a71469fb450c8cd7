export * from './kafka/kafka-jars.ts';
export * from './kafka/kafka-server.ts';
