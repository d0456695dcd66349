// Filters of the server, for the heads of columns (`filter` of Table): FilterText, FilterSelect.

export function FilterText({ label, value, placeholder, onChange }: { label: string, value: string, placeholder?: string, onChange: (value: string) => void }) {
  return <input class="input small" type="search" aria-label={`Filter by ${label}`} placeholder={placeholder ?? 'Filter'} value={value}
    onInput={event => onChange(event.currentTarget.value)} />
}

export function FilterSelect({ label, value, choices, onChange }: {
  label: string, value: string, choices: readonly (readonly [string, string])[], onChange: (value: string) => void
}) {
  return <select class="input small" aria-label={`Filter by ${label}`} value={value} onChange={event => onChange(event.currentTarget.value)}>
    <option value="" selected={value === ''}>Any</option>
    {choices.map(([id, text]) => <option key={id} value={id} selected={id === value}>{text}</option>)}
  </select>
}
