import { CloseCircleFilled, SearchOutlined } from '@ant-design/icons';
import { Input } from 'antd';
import { useEffect, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';

const pauseMs = 300;

interface Props {
  value: string;
  label: string;
  maxLength: number;
  onSearch: (value: string) => void;
}

/** Searches once the typing rests, and at once on Enter. */
export function SearchBox({ value, label, maxLength, onSearch }: Props) {
  const { t } = useTranslation();
  const [typed, setTyped] = useState(value);
  const [known, setKnown] = useState(value);
  const [searched, setSearched] = useState(value);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  // The value changed from outside: the browser's back button, or a filter that was taken away. What was searched for here comes
  // back as the value too, perhaps while more is being typed: that must stay.
  if (value !== known) {
    setKnown(value);
    if (value !== searched) setTyped(value);
    setSearched(value);
  }
  useEffect(() => () => clearTimeout(timer.current), []);
  const search = (text: string) => {
    clearTimeout(timer.current);
    const trimmed = text.trim();
    setSearched(trimmed);
    if (trimmed !== value) onSearch(trimmed);
  };
  return (
    <Input
      className="search-box"
      prefix={<SearchOutlined aria-hidden />}
      aria-label={label}
      placeholder={label}
      allowClear={{ clearIcon: <CloseCircleFilled aria-label={t('search.clear')} /> }}
      maxLength={maxLength}
      value={typed}
      onChange={({ target }) => {
        setTyped(target.value);
        clearTimeout(timer.current);
        timer.current = setTimeout(() => search(target.value), pauseMs);
      }}
      onPressEnter={() => search(typed)}
    />
  );
}
