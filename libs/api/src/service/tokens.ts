/** Injection tokens of what the chassis gives to every service. */
export const CLOCK = Symbol('gridbourse.clock');
export const RANDOM = Symbol('gridbourse.random');
export const SERVICE_CONFIG = Symbol('gridbourse.config');
export const SERVICE_NAME = Symbol('gridbourse.service-name');
export const LOGGER = Symbol('gridbourse.logger');
/** The KeyValue store: libs/key-value. */
export const KEY_VALUE = Symbol('gridbourse.key-value');
export const METER = Symbol('gridbourse.meter');
