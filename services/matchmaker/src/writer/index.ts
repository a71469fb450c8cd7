/** The writer and what it is told, for whoever drives a running matchmaker from outside its routes: benchmarks do. */
export { hearOfProvider } from '../domain/process/provider.ts';
export { type Submission, submitOrder } from '../domain/process/tenant.ts';
export { saveMarketChange } from '../read-models/projection.ts';
export { loadExchange } from './load-exchange.ts';
export { Matchmaker } from './matchmaker.ts';
