//! Known deviations: id and reason.

/// Deviations in `helm/templates`.
pub const TEMPLATES: &[(&str, &str)] = &[
    (
        "tpl-funcs-00736@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-funcs-00736@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-funcs-00737@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-funcs-00737@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-funcs-00738@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-funcs-00738@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-funcs-00739@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-funcs-00739@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-funcs-00740@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-funcs-00740@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-funcs-00741@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-funcs-00741@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-funcs-00742@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-funcs-00742@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-funcs-00743@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-funcs-00743@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-funcs-00744@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-funcs-00744@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-funcs-00745@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-funcs-00745@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-funcs-00746@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-funcs-00746@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-funcs-00751@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-funcs-00751@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-funcs-00841@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-funcs-00841@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-funcs-00842@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-funcs-00842@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-funcs-00846@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-funcs-00846@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-funcs-00847@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-funcs-00847@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-funcs-00848@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-funcs-00848@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-funcs-00849@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-funcs-00849@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-funcs-00850@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-funcs-00850@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-funcs-00851@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-funcs-00851@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-funcs-00852@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-funcs-00852@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-funcs-00853@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-funcs-00853@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-funcs-00854@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-funcs-00854@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-funcs-00858@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-funcs-00858@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-funcs-00860@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-funcs-00860@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-funcs-00863@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-funcs-00863@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-funcs-00865@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-funcs-00865@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-funcs-00866@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-funcs-00866@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-funcs-00895@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-funcs-00895@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-funcs-01532@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-funcs-01534@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-funcs-01535@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-funcs-01597@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-funcs-01597@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-funcs-02307@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-funcs-02307@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-funcs-02308@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-funcs-02308@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-funcs-02309@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-funcs-02309@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-funcs-02310@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-funcs-02310@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-funcs-02311@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-funcs-02311@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-funcs-02312@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-funcs-02312@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-funcs-02313@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-funcs-02313@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-funcs-02314@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-funcs-02314@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-funcs-02315@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-funcs-02315@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-funcs-02318@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-funcs-02318@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-funcs-02319@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-funcs-02319@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-funcs-02320@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-funcs-02320@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-funcs-02322@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-funcs-02322@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-helm-funcs-00002@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-helm-funcs-00002@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-helm-funcs-00003@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-helm-funcs-00003@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-helm-funcs-00004@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-helm-funcs-00004@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-helm-funcs-00006@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-helm-funcs-00006@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-helm-funcs-00011@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-helm-funcs-00011@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-helm-funcs-00024@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-numbers-00001@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-numbers-00001@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-numbers-00003@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-numbers-00003@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-numbers-00005@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-numbers-00005@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-numbers-00011@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-numbers-00011@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-numbers-00013@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-numbers-00013@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-numbers-00015@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-numbers-00015@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-numbers-00017@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-numbers-00017@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-numbers-00019@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-numbers-00019@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-numbers-00023@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-numbers-00023@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-numbers-00027@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-numbers-00027@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-numbers-00029@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-numbers-00029@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-numbers-00031@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-numbers-00031@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-numbers-00033@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-numbers-00033@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-numbers-00035@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-numbers-00035@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-numbers-00037@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-numbers-00037@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-numbers-00039@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-numbers-00039@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-numbers-00041@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-numbers-00041@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-toml-00000@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-toml-00000@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-toml-00001@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-toml-00001@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-toml-00002@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-toml-00002@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-toml-00005@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-toml-00005@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-toml-00006@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-toml-00006@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-toml-00007@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-toml-00007@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-toml-00009@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-toml-00009@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-toml-00010@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-toml-00010@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-toml-00011@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-toml-00011@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-toml-00012@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-toml-00012@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-toml-00013@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-toml-00013@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-toml-00014@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-toml-00014@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-toml-00015@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-toml-00015@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-toml-00016@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-toml-00016@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-toml-00017@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-toml-00017@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-toml-00018@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-toml-00018@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-toml-00019@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-toml-00019@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-toml-00022@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-toml-00022@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-toml-00023@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-toml-00023@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-toml-00024@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-toml-00024@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-toml-00025@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-toml-00025@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-toml-00026@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-toml-00026@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-toml-00028@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-toml-00028@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-toml-00029@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-toml-00029@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-toml-00030@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-toml-00030@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-toml-00032@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-toml-00032@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-toml-00033@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-toml-00033@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-toml-00035@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-toml-00035@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-toml-00036@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-toml-00036@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-toml-00037@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-toml-00037@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-toml-00039@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-toml-00039@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-toml-00041@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-toml-00041@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-toml-00042@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-toml-00042@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-toml-00043@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-toml-00043@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-toml-00045@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-toml-00045@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-toml-00046@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-toml-00046@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-toml-00048@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-toml-00048@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-toml-00049@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-toml-00049@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-toml-00050@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-toml-00050@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-toml-00051@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-toml-00051@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-toml-00052@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-toml-00052@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-toml-00053@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-toml-00053@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-toml-00054@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-toml-00054@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-toml-00057@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-toml-00057@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-toml-00059@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-toml-00059@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-toml-00060@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-toml-00060@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-toml-00061@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-toml-00061@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-toml-00063@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-toml-00063@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-toml-00064@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-toml-00064@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-toml-00065@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-toml-00065@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-toml-00066@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-toml-00066@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-toml-00067@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-toml-00067@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-toml-00068@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-toml-00068@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-toml-00071@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-toml-00071@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-toml-00072@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-toml-00072@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-yaml-00597@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-yaml-00597@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-yaml-00610@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-yaml-00610@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-yaml-00621@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-yaml-00621@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-yaml-00632@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-yaml-00632@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-yaml-00643@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-yaml-00643@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-yaml-00656@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-yaml-00656@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-yaml-00669@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-yaml-00669@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-yaml-00682@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-yaml-00682@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-yaml-00695@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-yaml-00695@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-yaml-00719@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-yaml-00719@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-yaml-00743@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-yaml-00743@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-yaml-00782@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-yaml-00782@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-yaml-00795@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-yaml-00795@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-yaml-00821@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-yaml-00821@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-yaml-00834@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-yaml-00834@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-yaml-00847@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-yaml-00847@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-yaml-00899@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-yaml-00899@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-yaml-00912@3.21",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
    (
        "tpl-yaml-00912@4.2",
        "not implemented yet: TOML, certificates, keys, password functions",
    ),
];

/// Deviations in `helm/render`.
pub const RENDER: &[(&str, &str)] = &[
    (
        "render-schema-00000@3.21",
        "not implemented yet: schema validation",
    ),
    (
        "render-schema-00000@4.2",
        "not implemented yet: schema validation",
    ),
    (
        "render-schema-00002@3.21",
        "not implemented yet: schema validation",
    ),
    (
        "render-schema-00002@4.2",
        "not implemented yet: schema validation",
    ),
    (
        "render-schema-00005@3.21",
        "not implemented yet: schema validation",
    ),
    (
        "render-schema-00005@4.2",
        "not implemented yet: schema validation",
    ),
    (
        "render-schema-00009@3.21",
        "not implemented yet: schema validation",
    ),
    (
        "render-schema-00009@4.2",
        "not implemented yet: schema validation",
    ),
    (
        "render-schema-00011@3.21",
        "not implemented yet: schema validation",
    ),
    (
        "render-schema-00011@4.2",
        "not implemented yet: schema validation",
    ),
    (
        "render-schema-00012@3.21",
        "not implemented yet: schema validation",
    ),
    (
        "render-schema-00012@4.2",
        "not implemented yet: schema validation",
    ),
    (
        "render-schema-00016@3.21",
        "not implemented yet: schema validation",
    ),
    (
        "render-schema-00016@4.2",
        "not implemented yet: schema validation",
    ),
    (
        "render-schema-00017@3.21",
        "not implemented yet: schema validation",
    ),
    (
        "render-schema-00017@4.2",
        "not implemented yet: schema validation",
    ),
    (
        "render-schema-00020@3.21",
        "not implemented yet: schema validation",
    ),
    (
        "render-schema-00020@4.2",
        "not implemented yet: schema validation",
    ),
    (
        "render-schema-00022@3.21",
        "not implemented yet: schema validation",
    ),
    (
        "render-schema-00022@4.2",
        "not implemented yet: schema validation",
    ),
    (
        "render-schema-00025@3.21",
        "not implemented yet: schema validation",
    ),
    (
        "render-schema-00025@4.2",
        "not implemented yet: schema validation",
    ),
    (
        "render-schema-00028@3.21",
        "not implemented yet: schema validation",
    ),
    (
        "render-schema-00028@4.2",
        "not implemented yet: schema validation",
    ),
    (
        "render-schema-00029@3.21",
        "not implemented yet: schema validation",
    ),
    (
        "render-schema-00029@4.2",
        "not implemented yet: schema validation",
    ),
    (
        "render-schema-00031@3.21",
        "not implemented yet: schema validation",
    ),
    (
        "render-schema-00031@4.2",
        "not implemented yet: schema validation",
    ),
    (
        "render-schema-00034@3.21",
        "not implemented yet: schema validation",
    ),
    (
        "render-schema-00034@4.2",
        "not implemented yet: schema validation",
    ),
    (
        "render-splitting-00031@4.2",
        "not implemented yet: schema validation",
    ),
];

/// Deviations in `helm/real`.
pub const REAL: &[(&str, &str)] = &[
    (
        "app-template-0@3.21",
        "not implemented yet: certificates, schema validation",
    ),
    (
        "app-template-0@4.2",
        "not implemented yet: certificates, schema validation",
    ),
    (
        "external-dns-0@3.21",
        "not implemented yet: certificates, schema validation",
    ),
    (
        "external-dns-0@4.2",
        "not implemented yet: certificates, schema validation",
    ),
];

/// Deviations in `helm/values`.
pub const VALUES: &[(&str, &str)] = &[];

/// Deviations in `helm/commands`.
pub const COMMANDS: &[(&str, &str)] = &[];
