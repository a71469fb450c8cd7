import { describe, expect, it } from '@jest/globals';
import { distanceKm } from '@gridbourse/kernel';
import fc from 'fast-check';
import { LATENCY_CITIES, LATENCY_MS } from './latency.data.ts';
import { findCountry, findRegion, readPlace, readRegion, regionOf, regions } from './places.ts';
import { COUNTRIES } from './places.data.ts';
import { estimateRttMs } from './rtt.ts';

const points = fc.record({
  latitude: fc.double({ min: -90, max: 90, noNaN: true }),
  longitude: fc.double({ min: -180, max: 180, noNaN: true }),
});

describe('places', () => {
  it.each([
    ['Texas, US, NA', 'us-central', 'US', 'Texas'],
    ['Washington, US, NA', 'us-west', 'US', 'Washington'],
    ['Georgia, US, NA', 'us-east', 'US', 'Georgia'],
    ['Michigan, US, NA', 'us-east', 'US', 'Michigan'],
    [', US, NA', 'us-central', 'US', ''],
    ['United States, US, NA', 'us-central', 'US', ''],
    ['Québec, CA, NA', 'ca-east', 'CA', 'Quebec'],
    ['British Columbia, CA, NA', 'ca-west', 'CA', 'British Columbia'],
    ['Hafnarfjardarkaupstadur, IS, EU', 'eu-north', 'IS', 'Hafnarfjardarkaupstadur'],
    ['Bavaria, DE, EU', 'eu-central', 'DE', 'Bavaria'],
    ['Taichung City, TW, AS', 'ap-northeast', 'TW', 'Taichung City'],
    ['Vietnam, VN, AS', 'ap-southeast', 'VN', ''],
    ['Australia, AU, OC', 'oc', 'AU', ''],
    ['France', 'eu-west', 'FR', ''],
  ])('%s is understood', (text, region, country, city) => {
    expect(readPlace(text)).toMatchObject({ region, country, city });
  });

  it.each(['', 'Atlantis', 'Texas, XX, NA', ',,,', '__proto__, constructor'])('%j is not', (text) =>
    expect(readPlace(text)).toBeNull(),
  );

  it('every country of the table lies in a region, and not far from it', () => {
    for (const [code, name, latitude, longitude] of COUNTRIES) {
      const region = regionOf({ country: code });
      expect([name, region]).not.toEqual([name, null]);
      expect(distanceKm(findRegion(region!)!.location, { latitude, longitude })).toBeLessThan(9_500);
      expect(findCountry(name)).toBe(code);
    }
  });

  it('a point without a country goes to the nearest region, and nothing to none', () => {
    for (const region of regions) expect(regionOf({ location: region.location })).toBe(region.id);
    expect(regionOf({})).toBeNull();
    expect(regionOf({ country: 'Atlantis' })).toBeNull();
  });

  it.each([
    ['us-west', ['us-west'], null],
    ['na-us-west', ['us-west'], null],
    ['us-east-1', ['us-east'], null],
    ['US-EAST', ['us-east'], null],
    ['germany', ['eu-central'], 'DE'],
    ['uk', ['eu-west'], 'GB'],
    ['korea-south', ['ap-northeast'], 'KR'],
    ['asia', ['ap-south', 'ap-southeast', 'ap-northeast'], null],
  ])('the region name %s is understood', (text, ids, country) => {
    expect(readRegion(text)).toEqual({ regions: ids, country });
  });

  it.each(['', 'mars', 'toString', '__proto__'])('the region name %j is not', (text) =>
    expect(readRegion(text)).toBeNull(),
  );
});

describe('estimated round-trip times', () => {
  const cities = LATENCY_CITIES.map(([name, latitude, longitude]) => ({ name, latitude, longitude }));

  it('between measured cities are the measurements', () => {
    cities.forEach((from, a) =>
      cities.forEach((to, b) => {
        if (a === b) return;
        const measured = (LATENCY_MS[a]![b]! + LATENCY_MS[b]![a]!) / 2;
        expect(Math.abs(estimateRttMs(from, to) - measured)).toBeLessThan(3);
      }),
    );
  });

  it('are symmetric, finite, and never beat light in a straight fibre', () => {
    fc.assert(
      fc.property(points, points, (a, b) => {
        const ms = estimateRttMs(a, b);
        expect(ms).toBeCloseTo(estimateRttMs(b, a), 6);
        expect(ms).toBeGreaterThanOrEqual(2);
        expect(ms).toBeGreaterThan(distanceKm(a, b) * 0.0098);
        expect(ms).toBeLessThan(600);
      }),
    );
  });

  it('grow from near to far', () => {
    const paris = { latitude: 48.86, longitude: 2.35 };
    const byDistance = ['Frankfurt', 'Washington DC', 'Tokyo'].map((name) =>
      estimateRttMs(
        paris,
        cities.find((city) => city.name === name)!,
      ),
    );
    expect(byDistance).toEqual([...byDistance].sort((x, y) => x - y));
    expect(byDistance[0]).toBeLessThan(20);
  });
});
