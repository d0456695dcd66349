// Chart: bars, stacked bars or lines over a row of labels, drawn as SVG; its figures stand in a table below, closed until
// asked for, and that is what screen readers get. A series has a tone: a number of the palette, or good, warn, bad.
// Every value counts from zero, so the scale does too.

import { useEffect, useRef, useState } from 'preact/hooks'
import { count } from '../lib/format'
import './chart.css'

export interface Series {
  name: string
  values: readonly number[]
  tone?: 's1' | 's2' | 's3' | 's4' | 's5' | 'good' | 'warn' | 'bad'
}

interface Props {
  title: string
  kind: 'bars' | 'stacked' | 'lines'
  labels: readonly string[]
  series: readonly Series[]
  height?: number
  write?: (value: number) => string
}

const LEFT = 44, RIGHT = 8, TOP = 8, BOTTOM = 22

export function Chart({ title, kind, labels, series, height = 190, write = count }: Props) {
  const box = useRef<HTMLElement>(null), [width, setWidth] = useState(640)
  useEffect(() => {
    if (!box.current || typeof ResizeObserver === 'undefined') return
    const observer = new ResizeObserver(([entry]) => {
      const wanted = Math.round(entry?.contentRect.width ?? 0)
      if (wanted > 0) requestAnimationFrame(() => setWidth(wanted))
    })
    observer.observe(box.current)
    return () => observer.disconnect()
  }, [])
  const tone = (index: number) => series[index]?.tone ?? `s${(index % 5) + 1}`
  const top = niceTop(Math.max(0, ...labels.map((_, place) => {
    const values = series.map(one => one.values[place] ?? 0)
    return kind === 'stacked' ? values.reduce((sum, value) => sum + value, 0) : Math.max(0, ...values)
  })))
  const inner = width - LEFT - RIGHT, band = inner / Math.max(1, labels.length), plot = height - TOP - BOTTOM
  const y = (value: number) => TOP + plot * (1 - value / top)
  const every = Math.max(1, Math.ceil(labels.length / Math.max(2, Math.floor(inner / 70))))
  const bar = Math.max(1, Math.min(28, band * 0.7))
  return <figure class="chart" ref={box} aria-label={title}>
    {series.length > 1 && <figcaption class="legend">{series.map((one, index) =>
      <span key={one.name}><i class={tone(index)} />{one.name}</span>)}</figcaption>}
    <svg viewBox={`0 0 ${width} ${height}`} width={width} height={height} role="img" aria-label={`${title}. The figures are in the table below.`}>
      {[0, 0.5, 1].map(share => <g key={share}>
        <line class="grid" x1={LEFT} x2={width - RIGHT} y1={y(top * share)} y2={y(top * share)} />
        <text x={LEFT - 8} y={y(top * share) + 4} text-anchor="end">{write(top * share)}</text>
      </g>)}
      {labels.map((label, place) => {
        const x = LEFT + band * place
        const told = [label, ...series.map(one => `${one.name}: ${write(one.values[place] ?? 0)}`)].join('\n')
        let below = 0
        return <g key={place}>
          <rect class="band" x={x} y={TOP} width={band} height={plot}><title>{told}</title></rect>
          {kind !== 'lines' && series.map((one, index) => {
            const value = one.values[place] ?? 0, wide = kind === 'bars' ? bar / series.length : bar
            const left = x + (band - bar) / 2 + (kind === 'bars' ? wide * index : 0)
            const upper = y(below + value), lower = y(below)
            if (kind === 'stacked') below += value
            return value > 0 && <rect key={one.name} class={`mark ${tone(index)}`} x={left} y={upper} width={wide}
              height={Math.max(1, lower - upper)} rx={Math.min(2, wide / 3)} pointer-events="none" />
          })}
          {place % every === 0 && <text x={x + band / 2} y={height - 6} text-anchor="middle">{label}</text>}
        </g>
      })}
      {kind === 'lines' && series.map((one, index) => {
        const points = one.values.map((value, place) => [LEFT + band * (place + 0.5), y(value)] as const)
        return <g key={one.name} class={tone(index)} pointer-events="none">
          <path class="line" d={points.map(([px, py], place) => `${place === 0 ? 'M' : 'L'}${px.toFixed(1)} ${py.toFixed(1)}`).join('')} />
          {points.length < 40 && points.map(([px, py], place) => <circle key={place} cx={px} cy={py} r="2.5" />)}
        </g>
      })}
    </svg>
    <details>
      <summary>Figures</summary>
      <table>
        <caption class="hidden">{title}</caption>
        <thead><tr><th scope="col" />{series.map(one => <th key={one.name} scope="col">{one.name}</th>)}</tr></thead>
        <tbody>{labels.map((label, place) => <tr key={place}>
          <th scope="row">{label}</th>{series.map(one => <td key={one.name}>{write(one.values[place] ?? 0)}</td>)}
        </tr>)}</tbody>
      </table>
    </details>
  </figure>
}

/** The least of 2, 4, 10, 20, 40, 100 ... that is not below a value: its half is round, too. */
export function niceTop(value: number): number {
  for (let ten = 1; ; ten *= 10)
    for (const step of [2, 4, 10])
      if (step * ten >= value) return step * ten
}
