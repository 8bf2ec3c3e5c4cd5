import { GlobalOutlined } from '@ant-design/icons';
import { Button } from 'antd';
import { useTranslation } from 'react-i18next';
import { toLanguage } from '../i18n';

const names = { en: 'English', 'zh-CN': '中文' } as const;

/** Offers the other language, in its own words. */
export function LanguageSwitch() {
  const { i18n } = useTranslation();
  const other = toLanguage(i18n.language) === 'en' ? 'zh-CN' : 'en';
  return (
    <Button type="text" icon={<GlobalOutlined aria-hidden />} lang={other} onClick={() => void i18n.changeLanguage(other)}>
      {names[other]}
    </Button>
  );
}
