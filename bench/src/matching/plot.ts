/** One line of a plot: a value for each size. */
export type Line = { readonly name: string; readonly colour: string; readonly values: readonly number[] };

const [WIDTH, HEIGHT] = [720, 420];
const MARGIN = { left: 80, right: 170, top: 40, bottom: 60 };

/** Powers of ten that enclose all values. */
const decades = (values: readonly number[]): number[] => {
  const low = Math.floor(Math.log10(Math.min(...values)));
  const high = Math.max(low + 1, Math.ceil(Math.log10(Math.max(...values))));
  return Array.from({ length: high - low + 1 }, (_, at) => low + at);
};

const label = (exponent: number): string => {
  const value = 10 ** exponent;
  if (value >= 1_000_000) return `${value / 1_000_000}M`;
  return value >= 1_000 ? `${value / 1_000}k` : String(Number(value.toPrecision(3)));
};

/** An SVG plot, both axes logarithmic. */
export const plot = (
  title: string,
  axes: { readonly x: string; readonly y: string },
  sizes: readonly number[],
  lines: readonly Line[],
): string => {
  const [xs, ys] = [decades(sizes), decades(lines.flatMap(({ values }) => values))];
  const [inner, tall] = [WIDTH - MARGIN.left - MARGIN.right, HEIGHT - MARGIN.top - MARGIN.bottom];
  const along = (ticks: readonly number[], value: number): number =>
    (Math.log10(value) - ticks[0]!) / (ticks.at(-1)! - ticks[0]!);
  const x = (value: number): number => Math.round(MARGIN.left + along(xs, value) * inner);
  const y = (value: number): number => Math.round(MARGIN.top + (1 - along(ys, value)) * tall);
  const text = (at: [number, number], content: string, more = ''): string =>
    `<text x="${at[0]}" y="${at[1]}" ${more}>${content}</text>`;
  const grid = [
    ...xs.map((e) => `<path d="M${x(10 ** e)} ${MARGIN.top}v${tall}" stroke="#ddd"/>`),
    ...ys.map((e) => `<path d="M${MARGIN.left} ${y(10 ** e)}h${inner}" stroke="#ddd"/>`),
    ...xs.map((e) => text([x(10 ** e), MARGIN.top + tall + 20], label(e), 'text-anchor="middle"')),
    ...ys.map((e) => text([MARGIN.left - 8, y(10 ** e) + 4], label(e), 'text-anchor="end"')),
  ];
  const drawn = lines.flatMap(({ name, colour, values }) => {
    const points = values.map((value, at) => `${x(sizes[at]!)},${y(value)}`);
    return [
      `<polyline points="${points.join(' ')}" fill="none" stroke="${colour}" stroke-width="2"/>`,
      ...points.map(
        (point) => `<circle cx="${point.split(',')[0]}" cy="${point.split(',')[1]}" r="3" fill="${colour}"/>`,
      ),
      text([x(sizes.at(-1)!) + 10, y(values.at(-1)!) + 4], name, `fill="${colour}"`),
    ];
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${HEIGHT}" font-family="sans-serif" font-size="12">`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>`,
    text([WIDTH / 2, 22], title, 'text-anchor="middle" font-size="14"'),
    text([MARGIN.left + inner / 2, HEIGHT - 16], axes.x, 'text-anchor="middle"'),
    text(
      [18, MARGIN.top + tall / 2],
      axes.y,
      `text-anchor="middle" transform="rotate(-90 18 ${MARGIN.top + tall / 2})"`,
    ),
    ...grid,
    ...drawn,
    '</svg>',
    '',
  ].join('\n');
};
