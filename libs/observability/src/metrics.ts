import type { Meter } from '@opentelemetry/api';
import { PrometheusExporter, PrometheusSerializer } from '@opentelemetry/exporter-prometheus';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { MeterProvider } from '@opentelemetry/sdk-metrics';

export type { Counter, Histogram, Meter, ObservableGauge } from '@opentelemetry/api';

type ServiceMetrics = { meter: Meter; exporter: PrometheusExporter };

const services = new Map<string, ServiceMetrics>();

const metricsOf = (service: string): ServiceMetrics => {
  const known = services.get(service);
  if (known) return known;
  const exporter = new PrometheusExporter({ preventServerStart: true });
  const provider = new MeterProvider({
    resource: resourceFromAttributes({ 'service.name': `gridbourse-${service}` }),
    readers: [exporter],
  });
  const made = { meter: provider.getMeter(`gridbourse.${service}`), exporter };
  services.set(service, made);
  return made;
};

/** Each service of a process has a provider of its own, so that one's figures never show under another's name. */
export const serviceMeter = (service: string): Meter => metricsOf(service).meter;

/** The Prometheus text format of all instruments of a service. */
export const renderMetrics = async (service: string): Promise<string> => {
  const { resourceMetrics } = await metricsOf(service).exporter.collect();
  return new PrometheusSerializer().serialize(resourceMetrics);
};
