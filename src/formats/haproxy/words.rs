//! The words that HAProxy knows: those of 2.6, and beside them those that later versions have added.
//!
//! Each word is followed by what can be counted of it: the fewest and the most arguments, or how many values follow.

/// What can be fetched: name, fewest and most arguments, type.
#[rustfmt::skip]
pub(super) static FETCHES: &str = "\
    always_false/0/0/bool always_true/0/0/bool avg_queue/0/1/sint base/0/0/str base32+src/0/0/bin base32/0/0/sint \
    baseq/0/0/str bc_dst/0/0/sint bc_dst_port/0/0/sint bc_err/0/0/sint bc_err_str/0/0/str bc_http_major/0/0/sint \
    bc_src/0/0/sint bc_src_port/0/0/sint be_conn/0/1/sint be_conn_free/0/1/sint be_id/0/0/sint be_name/0/0/str \
    be_server_timeout/0/0/sint be_sess_rate/0/1/sint be_tunnel_timeout/0/0/sint bin/0/1/bin bool/0/1/bool \
    capture.req.hdr/1/1/str capture.req.method/0/0/str capture.req.uri/0/0/str capture.req.ver/0/0/str \
    capture.res.hdr/1/1/str capture.res.ver/0/0/str connslots/0/1/sint cook/0/1/str cook_cnt/0/1/sint \
    cook_val/0/1/sint cookie/0/1/str cpu_calls/0/0/sint cpu_ns_avg/0/0/sint cpu_ns_tot/0/0/sint \
    cur_server_timeout/0/0/sint cur_tunnel_timeout/0/0/sint date/0/2/sint date_us/0/0/sint distcc_body/0/2/bin \
    distcc_param/0/2/sint dst/0/0/ipv4 dst_conn/0/0/sint dst_is_local/0/0/bool dst_port/0/0/sint env/0/1/str \
    fc_dst/0/0/ipv4 fc_dst_is_local/0/0/bool fc_dst_port/0/0/sint fc_err/0/0/sint fc_err_str/0/0/str \
    fc_fackets/0/1/sint fc_http_major/0/0/sint fc_lost/0/1/sint fc_pp_authority/0/0/str fc_pp_unique_id/0/0/str \
    fc_rcvd_proxy/0/0/bool fc_reordering/0/1/sint fc_retrans/0/1/sint fc_rtt/0/1/sint fc_rttvar/0/1/sint \
    fc_sacked/0/1/sint fc_src/0/0/ipv4 fc_src_is_local/0/0/bool fc_src_port/0/0/sint fc_unacked/0/1/sint \
    fcgi.docroot/0/0/str fcgi.index/0/0/str fe_client_timeout/0/0/sint fe_conn/0/1/sint fe_defbe/0/0/str \
    fe_id/0/0/sint fe_name/0/0/str fe_req_rate/0/1/sint fe_sess_rate/0/1/sint hdr/0/2/str hdr_cnt/0/1/sint \
    hdr_ip/0/2/ipv4 hdr_val/0/2/sint hostname/0/0/str http_auth/1/1/bool http_auth_bearer/0/1/str \
    http_auth_group/1/1/str http_auth_pass/0/0/str http_auth_type/0/0/str http_auth_user/0/0/str \
    http_first_req/0/0/bool int/1/1/sint internal.htx.data/0/0/sint internal.htx.free/0/0/sint \
    internal.htx.free_data/0/0/sint internal.htx.has_eom/0/0/bool internal.htx.nbblks/0/0/sint \
    internal.htx.size/0/0/sint internal.htx.used/0/0/sint internal.htx_blk.data/0/1/bin \
    internal.htx_blk.hdrname/0/1/str internal.htx_blk.hdrval/0/1/str internal.htx_blk.size/0/1/sint \
    internal.htx_blk.start_line/0/1/str internal.htx_blk.type/0/1/str internal.strm.is_htx/0/0/bool ipv4/1/1/ipv4 \
    ipv6/1/1/ipv6 last_rule_file/0/0/str last_rule_line/0/0/sint lat_ns_avg/0/0/sint lat_ns_tot/0/0/sint \
    meth/0/1/meth method/0/0/meth nbproc/0/0/sint nbsrv/0/1/sint path/0/0/str pathq/0/0/str payload/2/2/bin \
    payload_lv/2/3/bin prio_class/0/0/sint prio_offset/0/0/sint proc/0/0/sint query/0/0/str queue/0/1/sint \
    rand/0/1/sint rdp_cookie/0/1/str rdp_cookie_cnt/0/1/sint rep_ssl_hello_type/0/0/sint req.body/0/0/bin \
    req.body_len/0/0/sint req.body_param/0/1/bin req.body_size/0/0/sint req.cook/0/1/str req.cook_cnt/0/1/sint \
    req.cook_val/0/1/sint req.fhdr/0/2/str req.fhdr_cnt/0/1/sint req.hdr/0/2/str req.hdr_cnt/0/1/sint \
    req.hdr_ip/0/2/ipv4 req.hdr_names/0/1/str req.hdr_val/0/2/sint req.hdrs/0/0/bin req.hdrs_bin/0/0/bin \
    req.len/0/0/sint req.payload/2/2/bin req.payload_lv/2/3/bin req.proto_http/0/0/bool req.rdp_cookie/0/1/str \
    req.rdp_cookie_cnt/0/1/sint req.ssl_alpn/0/0/str req.ssl_ec_ext/0/0/bool req.ssl_hello_type/0/0/sint \
    req.ssl_sni/0/0/str req.ssl_st_ext/0/0/sint req.ssl_ver/0/0/sint req.ver/0/0/str req_len/0/0/sint \
    req_proto_http/0/0/bool req_ssl_hello_type/0/0/sint req_ssl_sni/0/0/str req_ssl_ver/0/0/sint req_ver/0/0/str \
    res.body/0/0/bin res.body_len/0/0/sint res.body_size/0/0/sint res.cache_hit/0/0/bool res.cache_name/0/0/str \
    res.comp/0/0/bool res.comp_algo/0/0/str res.cook/0/1/str res.cook_cnt/0/1/sint res.cook_val/0/1/sint \
    res.fhdr/0/2/str res.fhdr_cnt/0/1/sint res.hdr/0/2/str res.hdr_cnt/0/1/sint res.hdr_ip/0/2/ipv4 \
    res.hdr_names/0/1/str res.hdr_val/0/2/sint res.hdrs/0/0/bin res.hdrs_bin/0/0/bin res.len/0/0/sint \
    res.payload/2/2/bin res.payload_lv/2/3/bin res.ssl_hello_type/0/0/sint res.ver/0/0/str resp_ver/0/0/str \
    sc0_bytes_in_rate/0/1/sint sc0_bytes_out_rate/0/1/sint sc0_clr_gpc0/0/1/sint sc0_clr_gpc1/0/1/sint \
    sc0_conn_cnt/0/1/sint sc0_conn_cur/0/1/sint sc0_conn_rate/0/1/sint sc0_get_gpc0/0/1/sint sc0_get_gpc1/0/1/sint \
    sc0_get_gpt0/0/1/sint sc0_gpc0_rate/0/1/sint sc0_gpc1_rate/0/1/sint sc0_http_err_cnt/0/1/sint \
    sc0_http_err_rate/0/1/sint sc0_http_fail_cnt/0/1/sint sc0_http_fail_rate/0/1/sint sc0_http_req_cnt/0/1/sint \
    sc0_http_req_rate/0/1/sint sc0_inc_gpc0/0/1/sint sc0_inc_gpc1/0/1/sint sc0_kbytes_in/0/1/sint \
    sc0_kbytes_out/0/1/sint sc0_sess_cnt/0/1/sint sc0_sess_rate/0/1/sint sc0_tracked/0/1/bool sc0_trackers/0/1/sint \
    sc1_bytes_in_rate/0/1/sint sc1_bytes_out_rate/0/1/sint sc1_clr_gpc/1/2/sint sc1_clr_gpc0/0/1/sint \
    sc1_clr_gpc1/0/1/sint sc1_conn_cnt/0/1/sint sc1_conn_cur/0/1/sint sc1_conn_rate/0/1/sint sc1_get_gpc0/0/1/sint \
    sc1_get_gpc1/0/1/sint sc1_get_gpt0/0/1/sint sc1_gpc0_rate/0/1/sint sc1_gpc1_rate/0/1/sint \
    sc1_http_err_cnt/0/1/sint sc1_http_err_rate/0/1/sint sc1_http_fail_cnt/0/1/sint sc1_http_fail_rate/0/1/sint \
    sc1_http_req_cnt/0/1/sint sc1_http_req_rate/0/1/sint sc1_inc_gpc0/0/1/sint sc1_inc_gpc1/0/1/sint \
    sc1_kbytes_in/0/1/sint sc1_kbytes_out/0/1/sint sc1_sess_cnt/0/1/sint sc1_sess_rate/0/1/sint \
    sc1_tracked/0/1/bool sc1_trackers/0/1/sint sc2_bytes_in_rate/0/1/sint sc2_bytes_out_rate/0/1/sint \
    sc2_clr_gpc0/0/1/sint sc2_clr_gpc1/0/1/sint sc2_conn_cnt/0/1/sint sc2_conn_cur/0/1/sint sc2_conn_rate/0/1/sint \
    sc2_get_gpc0/0/1/sint sc2_get_gpc1/0/1/sint sc2_get_gpt0/0/1/sint sc2_gpc0_rate/0/1/sint sc2_gpc1_rate/0/1/sint \
    sc2_http_err_cnt/0/1/sint sc2_http_err_rate/0/1/sint sc2_http_fail_cnt/0/1/sint sc2_http_fail_rate/0/1/sint \
    sc2_http_req_cnt/0/1/sint sc2_http_req_rate/0/1/sint sc2_inc_gpc0/0/1/sint sc2_inc_gpc1/0/1/sint \
    sc2_kbytes_in/0/1/sint sc2_kbytes_out/0/1/sint sc2_sess_cnt/0/1/sint sc2_sess_rate/0/1/sint \
    sc2_tracked/0/1/bool sc2_trackers/0/1/sint sc_bytes_in_rate/1/2/sint sc_bytes_out_rate/1/2/sint \
    sc_clr_gpc/2/3/sint sc_clr_gpc0/1/2/sint sc_clr_gpc1/1/2/sint sc_conn_cnt/1/2/sint sc_conn_cur/1/2/sint \
    sc_conn_rate/1/2/sint sc_get_gpc/2/3/sint sc_get_gpc0/1/2/sint sc_get_gpc1/1/2/sint sc_get_gpt/2/3/sint \
    sc_get_gpt0/1/2/sint sc_gpc0_rate/1/2/sint sc_gpc1_rate/1/2/sint sc_gpc_rate/2/3/sint sc_http_err_cnt/1/2/sint \
    sc_http_err_rate/1/2/sint sc_http_fail_cnt/1/2/sint sc_http_fail_rate/1/2/sint sc_http_req_cnt/1/2/sint \
    sc_http_req_rate/1/2/sint sc_inc_gpc/2/3/sint sc_inc_gpc0/1/2/sint sc_inc_gpc1/1/2/sint sc_kbytes_in/1/2/sint \
    sc_kbytes_out/1/2/sint sc_sess_cnt/1/2/sint sc_sess_rate/1/2/sint sc_tracked/1/2/bool sc_trackers/1/2/sint \
    scook/0/1/str scook_cnt/0/1/sint scook_val/0/1/sint shdr/0/2/str shdr_cnt/0/1/sint shdr_ip/0/2/ipv4 \
    shdr_val/0/2/sint so_id/0/0/sint so_name/0/0/str src/0/0/ipv4 src_bytes_in_rate/0/1/sint \
    src_bytes_out_rate/0/1/sint src_clr_gpc/2/2/sint src_clr_gpc0/0/1/sint src_clr_gpc1/0/1/sint \
    src_conn_cnt/0/1/sint src_conn_cur/0/1/sint src_conn_rate/0/1/sint src_get_gpc/2/2/sint src_get_gpc0/0/1/sint \
    src_get_gpc1/0/1/sint src_get_gpt/2/2/sint src_get_gpt0/0/1/sint src_gpc0_rate/0/1/sint src_gpc1_rate/0/1/sint \
    src_gpc_rate/2/2/sint src_http_err_cnt/0/1/sint src_http_err_rate/0/1/sint src_http_fail_cnt/0/1/sint \
    src_http_fail_rate/0/1/sint src_http_req_cnt/0/1/sint src_http_req_rate/0/1/sint src_inc_gpc/2/2/sint \
    src_inc_gpc0/0/1/sint src_inc_gpc1/0/1/sint src_is_local/0/0/bool src_kbytes_in/0/1/sint \
    src_kbytes_out/0/1/sint src_port/0/0/sint src_sess_cnt/0/1/sint src_sess_rate/0/1/sint \
    src_updt_conn_cnt/0/1/sint srv_conn/0/1/sint srv_conn_free/0/1/sint srv_id/0/0/sint srv_is_up/0/1/bool \
    srv_iweight/0/1/sint srv_name/0/0/str srv_queue/0/1/sint srv_sess_rate/0/1/sint srv_uweight/0/1/sint \
    srv_weight/0/1/sint ssl_bc/0/0/bool ssl_bc_alg_keysize/0/0/sint ssl_bc_alpn/0/0/str ssl_bc_cipher/0/0/str \
    ssl_bc_client_random/0/0/bin ssl_bc_err/0/0/sint ssl_bc_err_str/0/0/str ssl_bc_is_resumed/0/0/bool \
    ssl_bc_npn/0/0/str ssl_bc_protocol/0/0/str ssl_bc_server_random/0/0/bin ssl_bc_session_id/0/0/bin \
    ssl_bc_session_key/0/0/bin ssl_bc_unique_id/0/0/bin ssl_bc_use_keysize/0/0/sint ssl_c_ca_err/0/0/sint \
    ssl_c_ca_err_depth/0/0/sint ssl_c_chain_der/0/0/bin ssl_c_der/0/0/bin ssl_c_err/0/0/sint ssl_c_i_dn/0/3/str \
    ssl_c_key_alg/0/0/str ssl_c_notafter/0/0/str ssl_c_notbefore/0/0/str ssl_c_s_dn/0/3/str ssl_c_serial/0/0/bin \
    ssl_c_sha1/0/0/bin ssl_c_sig_alg/0/0/str ssl_c_used/0/0/bool ssl_c_verify/0/0/sint ssl_c_version/0/0/sint \
    ssl_f_der/0/0/bin ssl_f_i_dn/0/3/str ssl_f_key_alg/0/0/str ssl_f_notafter/0/0/str ssl_f_notbefore/0/0/str \
    ssl_f_s_dn/0/3/str ssl_f_serial/0/0/bin ssl_f_sha1/0/0/bin ssl_f_sig_alg/0/0/str ssl_f_version/0/0/sint \
    ssl_fc/0/0/bool ssl_fc_alg_keysize/0/0/sint ssl_fc_alpn/0/0/str ssl_fc_cipher/0/0/str \
    ssl_fc_cipherlist_bin/0/1/str ssl_fc_cipherlist_hex/0/1/bin ssl_fc_cipherlist_str/0/1/str \
    ssl_fc_cipherlist_xxh/0/0/sint ssl_fc_client_early_traffic_secret/0/0/str \
    ssl_fc_client_handshake_traffic_secret/0/0/str ssl_fc_client_random/0/0/bin \
    ssl_fc_client_traffic_secret_0/0/0/str ssl_fc_early_exporter_secret/0/0/str ssl_fc_ecformats_bin/0/0/str \
    ssl_fc_eclist_bin/0/1/str ssl_fc_err/0/0/sint ssl_fc_err_str/0/0/str ssl_fc_exporter_secret/0/0/str \
    ssl_fc_extlist_bin/0/1/str ssl_fc_has_crt/0/0/bool ssl_fc_has_early/0/0/bool ssl_fc_has_sni/0/0/bool \
    ssl_fc_is_resumed/0/0/bool ssl_fc_npn/0/0/str ssl_fc_protocol/0/0/str ssl_fc_protocol_hello_id/0/0/sint \
    ssl_fc_server_handshake_traffic_secret/0/0/str ssl_fc_server_random/0/0/bin \
    ssl_fc_server_traffic_secret_0/0/0/str ssl_fc_session_id/0/0/bin ssl_fc_session_key/0/0/bin ssl_fc_sni/0/0/str \
    ssl_fc_unique_id/0/0/bin ssl_fc_use_keysize/0/0/sint ssl_s_chain_der/0/0/bin ssl_s_der/0/0/bin \
    ssl_s_i_dn/0/3/str ssl_s_key_alg/0/0/str ssl_s_notafter/0/0/str ssl_s_notbefore/0/0/str ssl_s_s_dn/0/3/str \
    ssl_s_serial/0/0/bin ssl_s_sha1/0/0/bin ssl_s_sig_alg/0/0/str ssl_s_version/0/0/sint status/0/0/sint \
    stopping/0/0/bool str/0/1/str table_avl/0/1/sint table_cnt/0/1/sint thread/0/0/sint unique-id/0/0/str \
    url/0/0/str url32+src/0/0/bin url32/0/0/sint url_ip/0/0/ipv4 url_param/0/2/str url_port/0/0/sint urlp/0/2/str \
    urlp_val/0/2/sint uuid/0/1/str var/0/2/any wait_end/0/0/bool";

/// The same for what came after 2.6.
#[rustfmt::skip]
pub(super) static NEWER_FETCHES: &str = "\
    accept_date/0/1/sint acl/1/1/bool bc_be_queue/0/0/sint bc_glitches/0/0/sint bc_nb_streams/0/0/sint \
    bc_reused/0/0/bool bc_rtt/0/1/sint bc_rttvar/0/1/sint bc_setting_streams_limit/0/0/sint \
    bc_settings_streams_limit/0/0/sint bc_srv_queue/0/0/sint bc_mss/0/0/sint cur_client_timeout/0/0/sint \
    cur_connect_timeout/0/0/sint cur_queue_timeout/0/0/sint cur_tarpit_timeout/0/0/sint fc.timer.handshake/0/0/sint \
    fc.timer.total/0/0/sint fc_glitches/0/0/sint fc_mss/0/0/sint fc_nb_streams/0/0/sint fc_pp_tlv/1/1/str \
    fc_saved_syn/0/1/bin fc_setting_streams_limit/0/0/sint fc_settings_streams_limit/0/0/sint last_entity/0/0/str \
    waiting_entity/0/0/str req.timer.hdr/0/0/sint req.timer.idle/0/0/sint req.timer.queue/0/0/sint \
    req.timer.tq/0/0/sint res.timer.data/0/0/sint res.timer.hdr/0/0/sint res.timer.user/0/0/sint \
    request_date/0/1/sint req.ssl_cipherlist/0/0/bin req.ssl_keyshare_groups/0/0/bin req.ssl_sigalgs/0/0/bin \
    req.ssl_supported_groups/0/0/bin txn.conn_retries/0/0/sint txn.id32/0/0/sint txn.redispatched/0/0/bool \
    txn.sess_term_state/0/0/str txn.status/0/0/sint txn.timer.total/0/0/sint txn.timer.user/0/0/sint \
    quic_enabled/0/0/bool res.unique-id/0/0/str pid/0/0/sint be_uweight/1/1/sint h2c/0/0/bool \
    ssl_bc_early_exporter_secret/0/0/bin ssl_c_san/0/1/str sc_glitch_cnt/1/2/sint sc_glitch_rate/1/2/sint";

/// What values can be put through: name, fewest and most arguments, type of the result (`haproxy -dKcnv` names it before
/// the type that is put in).
#[rustfmt::skip]
pub(super) static CONVERTERS: &str = "\
    add/0/1/sint add_item/2/3/str aes_gcm_dec/4/4/bin and/0/1/sint b64dec/0/0/bin base64/0/0/str be2dec/0/3/str \
    be2hex/0/3/str bool/0/0/bool bytes/1/2/bin capture-req/1/1/str capture-res/1/1/str concat/0/3/str cpl/0/0/sint \
    crc32/0/1/sint crc32c/0/1/sint cut_crlf/0/0/str debug/0/2/any digest/0/1/bin div/0/1/sint djb2/0/1/sint \
    even/0/0/bool field/2/3/str fix_is_valid/0/0/bool fix_tag_value/0/1/bin hex/0/0/str hex2i/0/0/sint hmac/2/2/bin \
    host_only/0/0/str htonl/0/0/bin http_date/0/2/str iif/2/2/str in_table/0/1/bool ipmask/1/2/ipv4 json/0/1/str \
    json_query/0/2/any jwt_header_query/0/2/any jwt_payload_query/0/2/any jwt_verify/2/2/sint language/0/2/str \
    length/0/0/sint lower/0/0/str ltime/0/2/str ltrim/0/1/str map/0/2/str map_beg/0/2/str map_beg_int/0/2/sint \
    map_beg_ip/0/2/addr map_dir/0/2/str map_dir_int/0/2/sint map_dir_ip/0/2/addr map_dom/0/2/str \
    map_dom_int/0/2/sint map_dom_ip/0/2/addr map_end/0/2/str map_end_int/0/2/sint map_end_ip/0/2/addr \
    map_int/0/2/str map_int_int/0/2/sint map_int_ip/0/2/addr map_ip/0/2/str map_ip_int/0/2/sint map_ip_ip/0/2/addr \
    map_reg/0/2/str map_reg_int/0/2/sint map_reg_ip/0/2/addr map_regm/0/2/str map_str/0/2/str map_str_int/0/2/sint \
    map_str_ip/0/2/addr map_sub/0/2/str map_sub_int/0/2/sint map_sub_ip/0/2/addr mod/0/1/sint \
    mqtt_field_value/2/2/str mqtt_is_valid/0/0/bool mul/0/1/sint nbsrv/0/0/sint neg/0/0/sint not/0/0/bool \
    odd/0/0/bool or/0/1/sint port_only/0/0/sint protobuf/1/2/bin regsub/2/3/str rtrim/0/1/str sdbm/0/1/sint \
    secure_memcmp/0/1/bool set-var/0/5/any sha1/0/0/bin sha2/0/1/bin srv_queue/0/0/sint strcmp/0/1/sint sub/0/1/sint \
    table_bytes_in_rate/0/1/sint table_bytes_out_rate/0/1/sint table_conn_cnt/0/1/sint table_conn_cur/0/1/sint \
    table_conn_rate/0/1/sint table_expire/1/2/sint table_gpc/2/2/sint table_gpc0/0/1/sint table_gpc0_rate/0/1/sint \
    table_gpc1/0/1/sint table_gpc1_rate/0/1/sint table_gpc_rate/2/2/sint table_gpt/2/2/sint table_gpt0/0/1/sint \
    table_http_err_cnt/0/1/sint table_http_err_rate/0/1/sint table_http_fail_cnt/0/1/sint \
    table_http_fail_rate/0/1/sint table_http_req_cnt/0/1/sint table_http_req_rate/0/1/sint table_idle/1/2/sint \
    table_kbytes_in/0/1/sint table_kbytes_out/0/1/sint table_server_id/0/1/sint table_sess_cnt/0/1/sint \
    table_sess_rate/0/1/sint table_trackers/0/1/sint ub64dec/0/0/bin ub64enc/0/0/str ungrpc/1/2/bin \
    unset-var/0/1/any upper/0/0/str url_dec/0/1/str url_enc/0/1/str utime/0/2/str word/2/3/str wt6/0/1/sint \
    xor/0/1/sint xxh3/0/1/sint xxh32/0/1/sint xxh64/0/1/sint";

/// The same for what came after 2.6; `?`: it is not known here.
#[rustfmt::skip]
pub(super) static NEWER_CONVERTERS: &str = "\
    aes_cbc_dec/3/4/bin aes_cbc_enc/3/4/bin aes_gcm_enc/4/5/bin b64url/0/0/? base2/0/0/str fe_exists/0/0/bool \
    jwt_decrypt_cert/1/1/bin jwt_decrypt_jwk/1/1/bin jwt_decrypt_secret/1/1/bin le2dec/1/3/str ms_ltime/1/2/str \
    ms_utime/1/2/str param/1/2/str reverse/0/0/? reverse_dom/0/0/? rfc7239_field/1/1/str rfc7239_is_valid/0/0/bool \
    rfc7239_n2nn/0/0/any rfc7239_n2np/0/0/any rfc7239_nn/0/0/str rfc7239_np/0/0/str table_clr_gpc/2/2/sint \
    table_clr_gpc0/1/1/sint table_clr_gpc1/1/1/sint table_glitch_cnt/1/1/sint table_glitch_rate/1/1/sint \
    table_inc_gpc/2/2/sint table_inc_gpc0/1/1/sint table_inc_gpc1/1/1/sint us_ltime/1/2/str us_utime/1/2/str \
    when/1/9/any x509_v_err_str/0/0/str";

/// Arguments of fetches and converters that are no mere texts: `i` a number, `f` `b` `t` a proxy with that side or a table (`T`:
/// where it is not told, the proxy's own), `s` a server, `u` a list of users, `r` an expression, `4` `6` `m` `M` addresses and masks,
/// `p` numbers with dots between them.
#[rustfmt::skip]
pub(super) static ARGUMENTS: &str = "\
    aes_gcm_dec/i avg_queue/b be2dec/-ii be2hex/-ii be_conn/b be_conn_free/b be_sess_rate/b be_uweight/b capture-req/i \
    capture-res/i capture.req.hdr/i capture.res.hdr/i connslots/b crc32/i crc32c/i date/i distcc_body/-i \
    distcc_param/-i djb2/i fe_conn/f fe_req_rate/f fe_sess_rate/f field/i-i hdr/-i hdr_ip/-i hdr_val/-i http_auth/u \
    http_auth_group/u http_date/i in_table/T int/i ipmask/mM ipv4/4 ipv6/6 ltime/-i map_beg_int/-i map_dir_int/-i \
    map_dom_int/-i map_end_int/-i map_int_int/-i map_ip_int/-i map_reg_int/-i map_str_int/-i map_sub_int/-i nbsrv/b \
    payload/ii payload_lv/ii protobuf/p queue/b rand/i regsub/r req.fhdr/-i req.hdr/-i req.hdr_ip/-i req.hdr_val/-i \
    req.payload/ii req.payload_lv/ii res.fhdr/-i res.hdr/-i res.hdr_ip/-i res.hdr_val/-i res.payload/ii \
    res.payload_lv/ii sc0_bytes_in_rate/t sc0_bytes_out_rate/t sc0_clr_gpc0/t sc0_clr_gpc1/t sc0_conn_cnt/t \
    sc0_conn_cur/t sc0_conn_rate/t sc0_get_gpc0/t sc0_get_gpc1/t sc0_get_gpt0/t sc0_gpc0_rate/t sc0_gpc1_rate/t \
    sc0_http_err_cnt/t sc0_http_err_rate/t sc0_http_fail_cnt/t sc0_http_fail_rate/t sc0_http_req_cnt/t \
    sc0_http_req_rate/t sc0_inc_gpc0/t sc0_inc_gpc1/t sc0_kbytes_in/t sc0_kbytes_out/t sc0_sess_cnt/t sc0_sess_rate/t \
    sc0_tracked/t sc0_trackers/t sc1_bytes_in_rate/t sc1_bytes_out_rate/t sc1_clr_gpc/it sc1_clr_gpc0/t sc1_clr_gpc1/t \
    sc1_conn_cnt/t sc1_conn_cur/t sc1_conn_rate/t sc1_get_gpc0/t sc1_get_gpc1/t sc1_get_gpt0/t sc1_gpc0_rate/t \
    sc1_gpc1_rate/t sc1_http_err_cnt/t sc1_http_err_rate/t sc1_http_fail_cnt/t sc1_http_fail_rate/t sc1_http_req_cnt/t \
    sc1_http_req_rate/t sc1_inc_gpc0/t sc1_inc_gpc1/t sc1_kbytes_in/t sc1_kbytes_out/t sc1_sess_cnt/t sc1_sess_rate/t \
    sc1_tracked/t sc1_trackers/t sc2_bytes_in_rate/t sc2_bytes_out_rate/t sc2_clr_gpc0/t sc2_clr_gpc1/t sc2_conn_cnt/t \
    sc2_conn_cur/t sc2_conn_rate/t sc2_get_gpc0/t sc2_get_gpc1/t sc2_get_gpt0/t sc2_gpc0_rate/t sc2_gpc1_rate/t \
    sc2_http_err_cnt/t sc2_http_err_rate/t sc2_http_fail_cnt/t sc2_http_fail_rate/t sc2_http_req_cnt/t \
    sc2_http_req_rate/t sc2_inc_gpc0/t sc2_inc_gpc1/t sc2_kbytes_in/t sc2_kbytes_out/t sc2_sess_cnt/t sc2_sess_rate/t \
    sc2_tracked/t sc2_trackers/t sc_bytes_in_rate/it sc_bytes_out_rate/it sc_clr_gpc/iit sc_clr_gpc0/it sc_clr_gpc1/it \
    sc_conn_cnt/it sc_conn_cur/it sc_conn_rate/it sc_get_gpc/iit sc_get_gpc0/it sc_get_gpc1/it sc_get_gpt/iit \
    sc_get_gpt0/it sc_glitch_cnt/it sc_glitch_rate/it sc_gpc0_rate/it sc_gpc1_rate/it sc_gpc_rate/iit \
    sc_http_err_cnt/it sc_http_err_rate/it sc_http_fail_cnt/it sc_http_fail_rate/it sc_http_req_cnt/it \
    sc_http_req_rate/it sc_inc_gpc/iit sc_inc_gpc0/it sc_inc_gpc1/it sc_kbytes_in/it sc_kbytes_out/it sc_sess_cnt/it \
    sc_sess_rate/it sc_tracked/it sc_trackers/it sdbm/i sha2/i shdr/-i shdr_ip/-i shdr_val/-i src_bytes_in_rate/T \
    src_bytes_out_rate/T src_clr_gpc/iT src_clr_gpc0/T src_clr_gpc1/T src_conn_cnt/T src_conn_cur/T src_conn_rate/T \
    src_get_gpc/iT src_get_gpc0/T src_get_gpc1/T src_get_gpt/iT src_get_gpt0/T src_glitch_cnt/T src_glitch_rate/T \
    src_gpc0_rate/T src_gpc1_rate/T src_gpc_rate/iT src_http_err_cnt/T src_http_err_rate/T src_http_fail_cnt/T \
    src_http_fail_rate/T src_http_req_cnt/T src_http_req_rate/T src_inc_gpc/iT src_inc_gpc0/T src_inc_gpc1/T \
    src_kbytes_in/T src_kbytes_out/T src_sess_cnt/T src_sess_rate/T src_updt_conn_cnt/T srv_conn/s srv_conn_free/s \
    srv_is_up/s srv_iweight/s srv_queue/s srv_sess_rate/s srv_uweight/s srv_weight/s ssl_c_i_dn/-i ssl_c_s_dn/-i \
    ssl_f_i_dn/-i ssl_f_s_dn/-i ssl_fc_cipherlist_bin/i ssl_fc_cipherlist_hex/i ssl_fc_cipherlist_str/i \
    ssl_fc_eclist_bin/i ssl_fc_extlist_bin/i ssl_s_i_dn/-i ssl_s_s_dn/-i table_avl/T table_bytes_in_rate/T \
    table_bytes_out_rate/T table_clr_gpc/it table_clr_gpc0/t table_clr_gpc1/t table_cnt/T table_conn_cnt/T \
    table_conn_cur/T table_conn_rate/T table_expire/Ti table_glitch_cnt/t table_glitch_rate/t table_gpc/iT \
    table_gpc0/T table_gpc0_rate/T table_gpc1/T table_gpc1_rate/T table_gpc_rate/iT table_gpt/iT table_gpt0/T \
    table_http_err_cnt/T table_http_err_rate/T table_http_fail_cnt/T table_http_fail_rate/T table_http_req_cnt/T \
    table_http_req_rate/T table_idle/Ti table_inc_gpc/it table_inc_gpc0/t table_inc_gpc1/t table_kbytes_in/T \
    table_kbytes_out/T table_server_id/T table_sess_cnt/T table_sess_rate/T table_trackers/T ungrpc/p url_dec/i \
    utime/-i uuid/i word/i-i wt6/i xxh3/i xxh32/i xxh64/i";

/// Words of ACLs that are a fetch and a way to match.
#[rustfmt::skip]
pub(super) static ALIASES: &str = "\
    base/base/str base_beg/base/beg base_dir/base/dir base_dom/base/dom base_end/base/end base_len/base/len \
    base_reg/base/reg base_sub/base/sub cook/req.cook/str cook_beg/req.cook/beg cook_dir/req.cook/dir \
    cook_dom/req.cook/dom cook_end/req.cook/end cook_len/req.cook/len cook_reg/req.cook/reg cook_sub/req.cook/sub \
    hdr/req.hdr/str hdr_beg/req.hdr/beg hdr_dir/req.hdr/dir hdr_dom/req.hdr/dom hdr_end/req.hdr/end \
    hdr_len/req.hdr/len hdr_reg/req.hdr/reg hdr_sub/req.hdr/sub http_auth_group/http_auth_group/str \
    method/method/str path/path/str path_beg/path/beg path_dir/path/dir path_dom/path/dom path_end/path/end \
    path_len/path/len path_reg/path/reg path_sub/path/sub payload/req.payload/bin payload_lv/req.payload_lv/bin \
    req.ssl_ver/req.ssl_ver/int req_rdp_cookie/req.rdp_cookie/str req_rdp_cookie_cnt/req.rdp_cookie_cnt/int \
    req_ssl_sni/req.ssl_sni/str req_ssl_ver/req.ssl_ver/int req_ver/req.ver/str resp_ver/res.ver/str \
    scook/res.cook/str scook_beg/res.cook/beg scook_dir/res.cook/dir scook_dom/res.cook/dom scook_end/res.cook/end \
    scook_len/res.cook/len scook_reg/res.cook/reg scook_sub/res.cook/sub shdr/res.hdr/str shdr_beg/res.hdr/beg \
    shdr_dir/res.hdr/dir shdr_dom/res.hdr/dom shdr_end/res.hdr/end shdr_len/res.hdr/len shdr_reg/res.hdr/reg \
    shdr_sub/res.hdr/sub ssl_fc_sni_end/ssl_fc_sni/end ssl_fc_sni_reg/ssl_fc_sni/reg url/url/str url_beg/url/beg \
    url_dir/url/dir url_dom/url/dom url_end/url/end url_len/url/len url_reg/url/reg url_sub/url/sub urlp/urlp/str \
    urlp_beg/urlp/beg urlp_dir/urlp/dir urlp_dom/urlp/dom urlp_end/urlp/end urlp_len/urlp/len urlp_reg/urlp/reg \
    urlp_sub/urlp/sub";

/// Parameters of `bind`: name, values.
#[rustfmt::skip]
pub(super) static BIND: &str = "\
    accept-netscaler-cip/1 accept-proxy/0 allow-0rtt/0 alpn/1 backlog/1 ca-file/1 ca-ignore-err/1 ca-sign-file/1 \
    ca-sign-pass/1 ca-verify-file/1 ciphers/1 ciphersuites/1 crl-file/1 crt-ignore-err/1 crt-list/1 crt/1 curves/1 \
    defer-accept/0 ecdhe/1 expose-fd/1 force-sslv3/0 force-tlsv10/0 force-tlsv11/0 force-tlsv12/0 force-tlsv13/0 \
    generate-certificates/0 gid/1 group/1 id/1 interface/1 level/1 maxconn/1 mode/1 mss/1 name/1 namespace/1 nice/1 \
    no-ca-names/0 no-sslv3/0 no-tls-tickets/0 no-tlsv10/0 no-tlsv11/0 no-tlsv12/0 no-tlsv13/0 npn/1 \
    prefer-client-ciphers/0 process/1 proto/1 severity-output/1 shards/1 ssl-max-ver/1 ssl-min-ver/1 strict-sni/0 \
    tcp-ut/1 tfo/0 thread/1 tls-ticket-keys/1 transparent/0 uid/1 user/1 v4v6/0 v6only/0 verify/1";

/// The same for what came after 2.6.
#[rustfmt::skip]
pub(super) static NEWER_BIND: &str = "\
    cc/1 cert/1 client-sigalgs/1 default-crt/1 ech/1 force-strict-sni/0 guid-prefix/1 idle-ping/1 ktls/1 label/1 \
    nbconn/1 no-alpn/0 no-strict-sni/0 ocsp-update/1 prefer-server-ciphers/0 quic-cc-algo/1 quic-force-retry/0 \
    quic-socket/1 sigalgs/1 ssl/0 tcp-md5sig/1 tls-tickets/0";

/// Parameters of `server`: name, values.
#[rustfmt::skip]
pub(super) static SERVER: &str = "\
    addr/1 agent-addr/1 agent-check/0 agent-inter/1 agent-port/1 agent-send/1 allow-0rtt/0 alpn/1 backup/0 \
    ca-file/1 check-alpn/1 check-proto/1 check-send-proxy/0 check-sni/1 check-ssl/0 check-via-socks4/0 check/0 \
    ciphers/1 ciphersuites/1 cookie/1 crl-file/1 crt/1 disabled/0 downinter/1 enabled/0 error-limit/1 fall/1 \
    fastinter/1 force-sslv3/0 force-tlsv10/0 force-tlsv11/0 force-tlsv12/0 force-tlsv13/0 id/1 init-addr/1 inter/1 \
    log-proto/1 max-reuse/1 maxconn/1 maxqueue/1 minconn/1 namespace/1 no-agent-check/0 no-backup/0 \
    no-check-send-proxy/0 no-check-ssl/0 no-check/0 no-send-proxy-v2-ssl-cn/0 no-send-proxy-v2-ssl/0 \
    no-send-proxy-v2/0 no-send-proxy/0 no-ssl-reuse/0 no-ssl/0 no-sslv3/0 no-tfo/0 no-tls-tickets/0 no-tlsv10/0 \
    no-tlsv11/0 no-tlsv12/0 no-tlsv13/0 non-stick/0 npn/1 observe/1 on-error/1 on-marked-down/1 on-marked-up/1 \
    pool-low-conn/1 pool-max-conn/1 pool-purge-delay/1 port/1 proto/1 proxy-v2-options/1 redir/1 resolve-net/1 \
    resolve-opts/1 resolve-prefer/1 resolvers/1 rise/1 send-proxy-v2-ssl-cn/0 send-proxy-v2-ssl/0 send-proxy-v2/0 \
    send-proxy/0 slowstart/1 sni/1 socks4/1 source/1 ssl-max-ver/1 ssl-min-ver/1 ssl-reuse/0 ssl/0 stick/0 tcp-ut/1 \
    tfo/0 tls-tickets/0 track/1 usesrc/0 verify/1 verifyhost/1 weight/1 ws/1";

/// The same for what came after 2.6.
#[rustfmt::skip]
pub(super) static NEWER_SERVER: &str = "\
    cc/1 check-pool-conn-name/1 check-reuse-pool/0 check-sni-auto/0 client-sigalgs/1 guid/1 hash-key/1 idle-ping/1 \
    init-state/1 ktls/1 log-bufsize/1 no-check-reuse-pool/0 no-check-sni-auto/0 no-renegotiate/0 no-sni-auto/0 \
    pool-conn-name/1 renegotiate/0 set-proxy-v2-tlv-fmt/1 sigalgs/1 sni-auto/0 strict-maxconn/0 tcp-md5sig/1";
