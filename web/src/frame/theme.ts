import type { ThemeConfig } from 'antd';

/** Calm and dense. Every colour that carries text reaches the 4.5:1 of WCAG AA on the surfaces it stands on, which antd's own do not. */
const theme: ThemeConfig = {
  token: {
    colorPrimary: '#0b6b4f',
    colorSuccess: '#19703c',
    colorWarning: '#8f5500',
    colorError: '#b3261e',
    colorInfo: '#2a5d94',
    // antd derives the surfaces from the colours above, and from dark ones it derives greys.
    colorSuccessBg: '#e8f5ec',
    colorSuccessBgHover: '#d8eedf',
    colorSuccessBorder: '#b5dcc2',
    colorWarningBg: '#fdf4e1',
    colorWarningBgHover: '#fbebc8',
    colorWarningBorder: '#f0d59b',
    colorErrorBg: '#fdeeec',
    colorErrorBgHover: '#fae0dd',
    colorErrorBorder: '#f2c1bc',
    colorInfoBg: '#eaf2fa',
    colorInfoBgHover: '#dae8f6',
    colorInfoBorder: '#b9d3ec',
    colorPrimaryBg: '#e6f2ed',
    colorPrimaryBgHover: '#d3e8df',
    colorLink: '#0b6b4f',
    colorText: '#1c2b26',
    colorTextSecondary: '#46554f',
    colorTextTertiary: '#56645e',
    colorTextDescription: '#56645e',
    colorTextPlaceholder: '#66736d',
    colorBgLayout: '#f4f7f5',
    colorBorderSecondary: '#e4eae7',
    borderRadius: 6,
    fontFamily:
      "system-ui, -apple-system, 'Segoe UI', 'PingFang SC', 'Hiragino Sans GB', 'Microsoft YaHei', 'Noto Sans CJK SC', 'Noto Sans SC', sans-serif",
  },
  components: {
    Table: { headerBg: '#f4f7f5', headerColor: '#46554f', cellPaddingBlockSM: 8 },
    Tag: { defaultBg: '#eef2f0', defaultColor: '#33423c' },
    Alert: { fontSizeLG: 14, withDescriptionPadding: '10px 14px', withDescriptionIconSize: 18, defaultPadding: '8px 14px' },
    Segmented: { trackBg: '#e8eeeb' },
  },
};

export function themeFor(reducedMotion: boolean): ThemeConfig {
  return { ...theme, token: { ...theme.token, motion: !reducedMotion } };
}
