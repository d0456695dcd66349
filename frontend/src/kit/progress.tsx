// Spinner: something is under way. Progress: how much of something is done or used; `limits` colours what is nearly
// full (from 80 and 95 of a hundred).

import type { ComponentChildren } from 'preact'
import './progress.css'

export function Spinner() {
  return <span class="spinner" aria-hidden="true" />
}

interface Props {
  label: string
  value: number
  /** 0 where the end is not known. */
  whole: number
  limits?: boolean
  children?: ComponentChildren
}

export function Progress({ label, value, whole, limits, children }: Props) {
  const share = whole > 0 ? value / whole : 0
  const tone = !limits ? '' : share >= 0.95 ? 'bad' : share >= 0.8 ? 'warn' : ''
  return <div class="meter">
    {children && <span>{children}</span>}
    {whole > 0
      ? <progress class={tone} value={Math.min(value, whole)} max={whole} aria-label={label} />
      : <progress aria-label={label} />}
  </div>
}
