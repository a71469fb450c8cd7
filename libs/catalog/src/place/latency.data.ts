/**
 * Measured round-trip times between data centres, milliseconds, row to column.
 * Source: IBM Cloud VPC inter-region latency, published table of 27 October 2024.
 */
export const LATENCY_SOURCE = { name: 'IBM Cloud VPC inter-region latency', date: '2024-10-27' } as const;

export const LATENCY_CITIES: readonly (readonly [name: string, latitude: number, longitude: number])[] = [
  ['Dallas', 32.78, -96.8],
  ['Toronto', 43.65, -79.38],
  ['Washington DC', 38.9, -77.04],
  ['Frankfurt', 50.11, 8.68],
  ['London', 51.51, -0.13],
  ['Madrid', 40.42, -3.7],
  ['Osaka', 34.69, 135.5],
  ['Sydney', -33.87, 151.21],
  ['Tokyo', 35.68, 139.69],
  ['Sao Paulo', -23.55, -46.63],
];

/** Zero on the diagonal stands for "not measured". */
export const LATENCY_MS: readonly (readonly number[])[] = [
  [0, 34, 31, 123, 113, 119, 150, 185, 141, 144],
  [34, 0, 19, 93, 84, 108, 169, 214, 162, 131],
  [31, 19, 0, 90, 76, 89, 175, 213, 169, 119],
  [123, 92, 92, 0, 13, 29, 232, 250, 231, 197],
  [114, 84, 76, 13, 0, 27, 244, 261, 242, 188],
  [119, 107, 90, 29, 27, 0, 259, 275, 255, 207],
  [150, 171, 176, 234, 245, 259, 0, 122, 9, 292],
  [184, 214, 214, 250, 261, 275, 122, 0, 115, 328],
  [143, 164, 167, 231, 243, 257, 9, 115, 0, 283],
  [144, 131, 119, 198, 188, 206, 291, 327, 287, 0],
];
