variable "size" {}
resource "aws_lb_target_group" "web" {
  port     = 8080
  protocol = "HTTP"
  vpc_id   = "vpc-1"
}
resource "aws_autoscaling_group" "web" {
  name              = "web"
  min_size          = 2
  max_size          = 4
  target_group_arns = [aws_lb_target_group.web.arn]
}
resource "aws_autoscaling_schedule" "night" {
  autoscaling_group_name = aws_autoscaling_group.web.name
  scheduled_action_name  = "night"
  desired_capacity       = 0
  recurrence             = "0 22 * * *"
}
resource "aws_lb_target_group" "api" {
  port     = 9000
  protocol = "HTTP"
}
resource "aws_ecs_service" "api" {
  name          = "api"
  cluster       = "main"
  desired_count = 3
  load_balancer {
    target_group_arn = aws_lb_target_group.api.arn
    container_name   = "api"
    container_port   = 9000
  }
}
resource "aws_ecs_service" "scaled" {
  name    = "scaled"
  cluster = "main"
  load_balancer {
    target_group_arn = aws_lb_target_group.api.arn
    container_name   = "api"
    container_port   = 9001
  }
  lifecycle {
    ignore_changes = [desired_count]
  }
}
resource "aws_appautoscaling_target" "scaled" {
  service_namespace  = "ecs"
  scalable_dimension = "ecs:service:DesiredCount"
  resource_id        = "service/main/${aws_ecs_service.scaled.name}"
  min_capacity       = 1
  max_capacity       = 5
}
resource "aws_ecs_service" "elsewhere" {
  name = "elsewhere"
  load_balancer {
    target_group_arn = aws_lb_target_group.web.arn
    container_name   = "web"
    container_port   = 8080
  }
  lifecycle {
    ignore_changes = [desired_count]
  }
}
resource "aws_lb_target_group" "rest" {
  port     = 9090
  protocol = "HTTP"
}
resource "aws_autoscaling_group" "idle" {
  name              = "idle"
  min_size          = 0
  max_size          = 0
  target_group_arns = [aws_lb_target_group.rest.arn]
}
resource "aws_autoscaling_group" "halted" {
  min_size            = 1
  max_size            = 2
  desired_capacity    = 2
  suspended_processes = ["Launch", "AZRebalance"]
}
resource "aws_autoscaling_attachment" "halted" {
  autoscaling_group_name = aws_autoscaling_group.halted.id
  lb_target_group_arn    = aws_lb_target_group.rest.arn
}
resource "aws_autoscaling_group" "units" {
  min_size              = 8
  max_size              = 8
  desired_capacity      = 8
  desired_capacity_type = "vcpu"
  traffic_source {
    identifier = aws_lb_target_group.rest.arn
    type       = "elbv2"
  }
}
resource "aws_autoscaling_group" "unknown" {
  min_size          = var.size
  max_size          = 9
  target_group_arns = [aws_lb_target_group.rest.arn]
}
resource "aws_autoscaling_attachment" "other" {
  autoscaling_group_name = "of another team"
  lb_target_group_arn    = "arn:aws:elasticloadbalancing:eu-west-1:111111111111:targetgroup/other/1"
}
resource "aws_ecs_service" "everywhere" {
  name                = "everywhere"
  scheduling_strategy = "DAEMON"
  load_balancer {
    elb_name       = aws_elb.old.name
    container_name = "web"
    container_port = 8080
  }
}
resource "aws_elb" "old" {
  name    = "old"
  subnets = ["subnet-1"]
  listener {
    instance_port     = 8080
    instance_protocol = "http"
    lb_port           = 80
    lb_protocol       = "http"
  }
}
