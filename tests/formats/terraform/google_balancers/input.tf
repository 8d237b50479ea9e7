resource "google_compute_global_forwarding_rule" "https" {
  name                  = "https"
  target                = google_compute_target_https_proxy.web.id
  port_range            = "443"
  ip_address            = "203.0.113.7"
  load_balancing_scheme = "EXTERNAL_MANAGED"
  labels                = { owner = "shop" }
}
resource "google_compute_target_https_proxy" "web" {
  name             = "web"
  url_map          = google_compute_url_map.web.id
  ssl_certificates = [google_compute_managed_ssl_certificate.web.id]
  ssl_policy       = "modern"
}
resource "google_compute_managed_ssl_certificate" "web" {
  name = "web"
  managed {
    domains = ["web.example"]
  }
}
resource "google_compute_url_map" "web" {
  name            = "web"
  default_service = google_compute_backend_service.web.id
  host_rule {
    hosts        = ["api.example", "*.api.example"]
    path_matcher = "api"
  }
  host_rule {
    hosts        = ["beta.example"]
    path_matcher = "beta"
  }
  path_matcher {
    name            = "api"
    default_service = google_compute_backend_service.web.id
    path_rule {
      paths   = ["/v1/*", "/v1/status"]
      service = google_compute_backend_service.api.id
    }
    path_rule {
      paths = ["/old/*"]
      url_redirect {
        https_redirect = true
        strip_query    = false
        path_redirect  = "/v1/"
      }
    }
  }
  path_matcher {
    name            = "beta"
    default_service = google_compute_backend_service.web.id
    route_rules {
      priority = 20
      match_rules {
        prefix_match = "/beta"
      }
      route_action {
        weighted_backend_services {
          backend_service = google_compute_backend_service.web.id
          weight          = 900
        }
        weighted_backend_services {
          backend_service = google_compute_backend_service.api.id
          weight          = 100
        }
      }
    }
    route_rules {
      priority = 10
      service  = google_compute_backend_service.api.id
      match_rules {
        full_path_match = "/api"
        header_matches {
          header_name = "x-beta"
          exact_match = "1"
        }
      }
    }
  }
}
resource "google_compute_backend_service" "web" {
  name          = "web"
  protocol      = "HTTP"
  timeout_sec   = 10
  health_checks = [google_compute_health_check.up.id]
  backend {
    group           = "group-1"
    capacity_scaler = 0.5
  }
  backend {
    group    = "group-2"
    failover = true
  }
}
resource "google_compute_backend_service" "api" {
  name     = "api"
  protocol = "HTTPS"
  backend {
    group           = "group-3"
    max_utilization = 0.8
  }
}
resource "google_compute_health_check" "up" {
  name = "up"
  http_health_check {
    port         = 8081
    request_path = "/up"
  }
}
resource "google_compute_forwarding_rule" "tcp" {
  name                  = "tcp"
  backend_service       = google_compute_region_backend_service.tcp.id
  load_balancing_scheme = "INTERNAL"
  ip_protocol           = "TCP"
  ports                 = ["5432", "5433"]
  source_ip_ranges      = ["10.0.0.0/8"]
}
resource "google_compute_region_backend_service" "tcp" {
  name     = "tcp"
  protocol = "TCP"
  backend {
    group = "group-4"
  }
}
