/** Degrees; latitude in [-90, 90], longitude in [-180, 180]. */
export type GeoPoint = { readonly latitude: number; readonly longitude: number };

const EARTH_RADIUS_KM = 6_371.0088; // IUGG mean radius
const radians = (degrees: number): number => (degrees * Math.PI) / 180;

/** Great-circle distance in kilometres by the haversine formula. */
export const distanceKm = (a: GeoPoint, b: GeoPoint): number => {
  const dLatitude = radians(b.latitude - a.latitude);
  const dLongitude = radians(b.longitude - a.longitude);
  const h =
    Math.sin(dLatitude / 2) ** 2 +
    Math.cos(radians(a.latitude)) * Math.cos(radians(b.latitude)) * Math.sin(dLongitude / 2) ** 2;
  return 2 * EARTH_RADIUS_KM * Math.asin(Math.min(1, Math.sqrt(h)));
};
